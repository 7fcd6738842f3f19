package tencentim

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The kinds of message elements.
const (
	elemText     = "TIMTextElem"
	elemCustom   = "TIMCustomElem"
	elemFace     = "TIMFaceElem"
	elemImage    = "TIMImageElem"
	elemFile     = "TIMFileElem"
	elemSound    = "TIMSoundElem"
	elemVideo    = "TIMVideoFileElem"
	elemLocation = "TIMLocationElem"
)

// Render writes a message's elements as text, one line each: texts as they
// are, everything else in brackets with the address under which the vendor
// keeps it, for as long as it keeps it. Elements that nobody knows are named.
// See https://trtc.io/document/33527.
func Render(elements []Element) string {
	var lines []string
	for _, e := range elements {
		if s := renderElement(e); s != "" {
			lines = append(lines, s)
		}
	}
	if len(lines) == 0 {
		return "[empty message]"
	}
	return strings.Join(lines, "\n")
}

func renderElement(e Element) string {
	var c struct {
		Text                string
		Data, Desc, Ext     string
		FileName            string
		FileSize            json.Number
		URL                 string `json:"Url"`
		DownloadURL         string `json:"DownloadUrl"`
		VideoURL            string `json:"VideoUrl"`
		Second, VideoSecond json.Number
		Index               json.Number
		Latitude, Longitude json.Number
		ImageInfoArray      []struct {
			Type json.Number
			URL  string `json:"URL"`
		}
	}
	if json.Unmarshal(e.Content, &c) != nil {
		return "[" + kindOf(e.Type) + "]"
	}
	switch e.Type {
	case elemText:
		return c.Text
	case elemImage:
		url := ""
		for _, i := range c.ImageInfoArray { // 1 is the original, 2 and 3 are thumbnails
			if i.URL != "" && (url == "" || i.Type == "1") {
				url = i.URL
			}
		}
		return bracket("image", url)
	case elemFile:
		return bracket("file", c.FileName, size(c.FileSize), either(c.URL, c.DownloadURL))
	case elemSound:
		return bracket("voice message", seconds(c.Second), either(c.URL, c.DownloadURL))
	case elemVideo:
		return bracket("video", seconds(c.VideoSecond), either(c.VideoURL, c.DownloadURL))
	case elemFace:
		return bracket("sticker", either(c.Data, c.Index.String()))
	case elemLocation:
		return bracket("location", c.Desc, place(c.Latitude, c.Longitude))
	case elemCustom:
		return bracket("custom message", either(c.Desc, c.Data), c.Ext)
	default:
		return "[" + kindOf(e.Type) + "]"
	}
}

// kindOf makes "merger message" of a type that is not rendered.
func kindOf(typ string) string {
	if typ = strings.TrimSuffix(strings.TrimPrefix(typ, "TIM"), "Elem"); typ == "" {
		return "message"
	}
	return strings.ToLower(typ) + " message"
}

func bracket(kind string, details ...string) string {
	for _, d := range details {
		if d = strings.Join(strings.Fields(d), " "); d != "" {
			kind += " " + d
		}
	}
	return "[" + kind + "]"
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func seconds(n json.Number) string {
	if n == "" || n == "0" {
		return ""
	}
	return n.String() + " s"
}

func size(n json.Number) string {
	bytes, err := n.Int64()
	switch {
	case err != nil || bytes <= 0:
		return ""
	case bytes < 1<<20:
		return fmt.Sprintf("(%.1f KB)", float64(bytes)/(1<<10))
	default:
		return fmt.Sprintf("(%.1f MB)", float64(bytes)/(1<<20))
	}
}

func place(latitude, longitude json.Number) string {
	if latitude == "" || longitude == "" {
		return ""
	}
	return latitude.String() + "," + longitude.String()
}
