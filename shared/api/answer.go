package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/caseroom/caseroom/shared/identity"
	"github.com/caseroom/caseroom/shared/problem"
	"github.com/caseroom/caseroom/shared/upstream"
)

// problemBody is RFC 9457's application/problem+json with our extensions.
type problemBody struct {
	Type           string       `json:"type"`
	Title          string       `json:"title"`
	Status         int          `json:"status"`
	Detail         string       `json:"detail"`
	Code           problem.Code `json:"code"`
	RequestID      string       `json:"requestId"`
	TicketID       string       `json:"ticketId,omitempty"`
	IdempotencyKey string       `json:"idempotencyKey,omitempty"`
}

// defaultRetryAfter is told to a caller who may come back when no vendor said
// how long to wait.
const defaultRetryAfter = 2 * time.Second

// answer is the one place where a status is chosen and a request is logged.
func (f *Function) answer(w http.ResponseWriter, r *Request, route string, start time.Time, v any, err error) {
	status, code := http.StatusOK, problem.Code("ok")
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")

	var body []byte
	if err == nil {
		body, err = render(h, v)
		if d, ok := v.(Document); ok && err == nil {
			status = cmp.Or(d.Status, http.StatusOK)
		}
	}
	if err != nil {
		p := classify(r.Context(), err)
		status, code = p.Code.Status(), p.Code
		if p.TicketID != "" {
			r.ticketID = p.TicketID
		}
		if r.browser {
			body = problemPage(h, p)
		} else {
			body = problemJSON(h, p, r.ID)
		}
	}
	if status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
	f.log(r, route, status, code, f.Now().Sub(start), err)
}

func render(h http.Header, v any) ([]byte, error) {
	if page, ok := v.(Page); ok {
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", page.CSP)
		h.Set("Referrer-Policy", "no-referrer")
		return page.HTML, nil
	}
	if d, ok := v.(Document); ok {
		for name, values := range d.Header {
			h[name] = values
		}
		if d.Type != "" {
			h.Set("Content-Type", d.Type)
		}
		return d.Body, nil
	}
	h.Set("Content-Type", "application/json")
	return encode(v)
}

// plainCSP is of a page that shows a sentence.
const plainCSP = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// sentence is a page that shows one, for a person to read and close.
func sentence(title, text string) Page {
	const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%s</title></head>
<body><h1>%s</h1><p>%s</p></body>
</html>
`
	title, text = html.EscapeString(title), html.EscapeString(text)
	return Page{HTML: fmt.Appendf(nil, page, title, title, text), CSP: plainCSP}
}

// problemPage says to a person what a problem says to a program.
func problemPage(h http.Header, p *problem.Error) []byte {
	retryHeader(h, p)
	body, _ := render(h, sentence("That did not work", p.Detail)) // a page always renders
	return body
}

func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return buf.Bytes(), err
}

func problemJSON(h http.Header, p *problem.Error, requestID string) []byte {
	h.Set("Content-Type", "application/problem+json")
	h.Del("Content-Security-Policy")
	retryHeader(h, p)
	status := p.Code.Status()
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	body, _ := encode(problemBody{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: p.Detail, Code: p.Code,
		RequestID: requestID, TicketID: p.TicketID, IdempotencyKey: p.IdempotencyKey,
	})
	return body
}

// retryHeader says when to come back, for the problems that pass by themselves.
func retryHeader(h http.Header, p *problem.Error) {
	switch p.Code.Status() {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		wait := p.RetryAfter
		if wait <= 0 {
			wait = defaultRetryAfter
		}
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
}

// classify decides what an error means to the caller. An operation's own word
// counts first, except that a passed deadline is always told as one.
func classify(ctx context.Context, err error) *problem.Error {
	var p *problem.Error
	var up *upstream.Error
	switch {
	case errors.As(err, &p):
		if p.Code == problem.Unavailable && ctx.Err() != nil {
			late := *p
			late.Code = problem.Timeout
			return &late
		}
		return p
	case ctx.Err() != nil:
		return problem.Wrap(err, problem.Timeout, "This took too long. Send the same request again.")
	case errors.Is(err, identity.ErrReserved):
		return problem.Wrap(err, problem.Forbidden, "This identity may not be used.")
	case errors.As(err, &up):
		return fromUpstream(err, up)
	default:
		return problem.Wrap(err, problem.Internal, "Something went wrong on our side.")
	}
}

func fromUpstream(err error, up *upstream.Error) *problem.Error {
	if up.Class == upstream.Refused {
		return problem.Wrap(err, problem.Upstream, "A service this depends on refused the request. Sending it again will not help; the operator's log says why.")
	}
	p := problem.Wrap(err, problem.Unavailable, "A service this depends on did not answer in time or is busy. Send the same request again.")
	p.RetryAfter = up.RetryAfter
	return p
}

// who says on the request's line who asked, and for whom. The login's own id of a
// customer is not logged; the id in the chat names that person.
func who(r *Request) []slog.Attr {
	attrs := []slog.Attr{slog.String("caller", callerKinds[r.caller.Kind])}
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("callerDesk", string(r.caller.Desk))
	add("callerKey", r.caller.Key)
	add("callerAgent", r.caller.Agent)
	add("principal", r.Principal)
	add("user", r.subject)
	return attrs
}

// log writes the request's one line. It holds no body, query or credential.
func (f *Function) log(r *Request, route string, status int, code problem.Code, took time.Duration, err error) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("route", route), slog.Int("status", status), slog.String("code", string(code)),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000), slog.String("gatewayRequestId", r.ID),
	}
	if r.ticketID != "" {
		attrs = append(attrs, slog.String("ticket", r.ticketID))
	}
	attrs = append(attrs, who(r)...)
	if err != nil {
		attrs = append(attrs, slog.String("err", err.Error()))
		level = slog.LevelWarn
		if status >= 500 {
			level = slog.LevelError
		}
	}
	slog.LogAttrs(r.Context(), level, "request", attrs...)
	f.Meter.Count(r.Context(), "Requests", 1, "code", string(code))
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		f.Meter.Count(r.Context(), "CallersRefused", 1)
	}
	var up *upstream.Error
	if errors.As(err, &up) {
		f.Meter.Count(r.Context(), "UpstreamFailures", 1, "vendor", up.Vendor, "class", string(up.Class))
		if up.Credentials {
			f.Meter.Count(r.Context(), "CredentialsRefused", 1, "vendor", up.Vendor)
		}
		if up.Quota {
			f.Meter.Count(r.Context(), "QuotaExceeded", 1, "vendor", up.Vendor)
		}
	}
}
