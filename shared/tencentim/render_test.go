package tencentim_test

import (
	"encoding/json"
	"testing"

	"github.com/caseroom/caseroom/shared/tencentim"
)

func TestRender(t *testing.T) {
	t.Parallel()
	for want, body := range map[string]string{
		"hello\nworld":                        `[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hello\nworld"}}]`,
		"look\n[image https://x/1.png]":       `[{"MsgType":"TIMTextElem","MsgContent":{"Text":"look"}},{"MsgType":"TIMImageElem","MsgContent":{"UUID":"u","ImageInfoArray":[{"Type":3,"URL":"https://x/3.png"},{"Type":1,"URL":"https://x/1.png"}]}}]`,
		"[file a b.pdf (2.0 MB) https://x/f]": `[{"MsgType":"TIMFileElem","MsgContent":{"Url":"https://x/f","FileName":"a\n b.pdf","FileSize":2097152}}]`,
		"[voice message 3 s https://x/s]":     `[{"MsgType":"TIMSoundElem","MsgContent":{"Url":"https://x/s","Second":3}}]`,
		"[video 9 s https://x/v]":             `[{"MsgType":"TIMVideoFileElem","MsgContent":{"VideoUrl":"https://x/v","VideoSecond":9}}]`,
		"[sticker smile]":                     `[{"MsgType":"TIMFaceElem","MsgContent":{"Index":1,"Data":"smile"}}]`,
		"[location Office 1.5,-2.25]":         `[{"MsgType":"TIMLocationElem","MsgContent":{"Desc":"Office","Latitude":1.5,"Longitude":-2.25}}]`,
		"[custom message Order 12 x]":         `[{"MsgType":"TIMCustomElem","MsgContent":{"Data":"{}","Desc":"Order 12","Ext":"x"}}]`,
		"[relay message]":                     `[{"MsgType":"TIMRelayElem","MsgContent":{"Title":"forwarded"}}]`,
		"[image message]":                     `[{"MsgType":"TIMImageElem","MsgContent":7}]`,
		"[empty message]":                     `[]`,
		"[message]":                           `[{}]`,
	} {
		var elements []tencentim.Element
		if err := json.Unmarshal([]byte(body), &elements); err != nil {
			t.Fatal(err)
		}
		if got := tencentim.Render(elements); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add("TIMTextElem", []byte(`{"Text":"x"}`))
	f.Add("TIMFileElem", []byte(`{"FileSize":"7"}`))
	f.Fuzz(func(t *testing.T, typ string, content []byte) {
		if tencentim.Render([]tencentim.Element{{Type: typ, Content: content}}) == "" && typ != "TIMTextElem" {
			t.Error("nothing is shown")
		}
	})
}
