package tencent

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// FuzzCommands sends bodies to the commands behind the signature.
func FuzzCommands(f *testing.F) {
	for path := range commands {
		_, op, _ := strings.Cut(path, "/")
		f.Add(op, `{"GroupId":"g","GroupIdList":["g"],"UserID":"u","Random":1,"Type":"Public","Name":"n"}`)
	}
	f.Add("get_group_info", `{"GroupIdList":["g"],"ResponseFilter":{"GroupBaseInfoFilter":null}}`)
	f.Add("forbid_send_msg", `{"GroupId":"g","Members_Account":["a",null],"MuteTime":-1}`)
	f.Add("create_group", `null`)
	e := engine.New(engine.Options{})
	im := New(e, &Fixture{}, Plan{}).t
	f.Fuzz(func(t *testing.T, op, body string) {
		for path, run := range commands {
			if !strings.HasSuffix(path, "/"+op) {
				continue
			}
			in, err := parseArgs([]byte(body))
			if err != nil {
				return
			}
			e.Lock()
			_, refused := run(im, httptest.NewRequest("POST", "/", nil), in)
			e.Unlock()
			if refused != nil && refused.code == 0 {
				t.Errorf("%s refused with code 0", op)
			}
		}
	})
}
