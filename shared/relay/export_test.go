package relay

// Waiting is the text of the first notice.
func (t Texts) Waiting(locale string) string { return t.Text(locale, waiting) }
