package relay

import "time"

// Waiting is the text of the first notice.
func (t Texts) Waiting(locale string) string { return t.Text(locale, waiting) }

// Paced is a desk as one run of [File] has it.
func Paced(desk TicketDesk, every time.Duration) TicketDesk {
	return &pacedDesk{TicketDesk: desk, every: every, next: time.Now().Add(every)}
}
