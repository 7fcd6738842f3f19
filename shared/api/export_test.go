package api

// Buckets returns how many callers the limit remembers.
func (l *Limit) Buckets() int { return len(l.buckets) }
