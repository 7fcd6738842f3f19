package relay

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden are characters without a width or a sign of their own that no language
// is spelt with. The joiners U+200C and U+200D, which Persian, Indic languages
// and emoji need, are none of them.
var hidden = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x180e, Hi: 0x180e, Stride: 1}, // Mongolian vowel separator
	{Lo: 0x200b, Hi: 0x200b, Stride: 1}, // zero width space
	{Lo: 0x2028, Hi: 0x2029, Stride: 1}, // line and paragraph separator
	{Lo: 0x2060, Hi: 0x2064, Stride: 1}, // word joiner, invisible operators
	{Lo: 0x206a, Hi: 0x206f, Stride: 1}, // deprecated format characters
	{Lo: 0xfeff, Hi: 0xfeff, Stride: 1}, // byte order mark
	{Lo: 0xfff9, Hi: 0xfffb, Stride: 1}, // interlinear annotations
}, R32: []unicode.Range32{
	{Lo: 0xe0000, Hi: 0xe007f, Stride: 1}, // tags, a second ASCII that nobody sees
}}

// fillers take room and show nothing.
var fillers = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x115f, Hi: 0x1160, Stride: 1}, {Lo: 0x2800, Hi: 0x2800, Stride: 1},
	{Lo: 0x3164, Hi: 0x3164, Stride: 1}, {Lo: 0xffa0, Hi: 0xffa0, Stride: 1},
}}

// CleanLine returns the text of a field that holds a name or a title: as
// [CleanText], on one line, with single blanks. It is "" when nothing of it can be
// seen.
func CleanLine(s string) string {
	s = strings.Join(strings.Fields(CleanText(s)), " ")
	seen := func(r rune) bool {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.IsMark(r) && !unicode.Is(fillers, r)
	}
	if !strings.ContainsFunc(s, seen) {
		return ""
	}
	return s
}

// CleanText returns the text as it is shown wherever people read others' words:
// valid UTF-8 whose lines end in "\n" alone, without control characters but tabs,
// without characters that turn the direction of what follows, and without hidden
// ones. Nothing left in it can start a line or reorder one.
func CleanText(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return '\n'
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(hidden, r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}
