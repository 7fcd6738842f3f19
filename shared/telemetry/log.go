// Package telemetry is how a function speaks to its operator: JSON log lines
// and metrics in CloudWatch's embedded format, both on standard output.
package telemetry

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Init makes slog's default logger write JSON lines to standard output, in the
// shape by which Lambda tells levels ("timestamp", "level", "message"), with
// service, version, function and, inside an invocation, requestId. AWS_LAMBDA_LOG_LEVEL
// is honoured. It works the same outside Lambda.
//
// The lines of the log package, which the Lambda runtime writes when a handler
// fails, get the level ERROR.
func Init(function string) {
	slog.SetDefault(slog.New(NewHandler(os.Stdout)).With("service", "caseroom", "version", version(), "function", function))
	slog.SetLogLoggerLevel(slog.LevelError)
}

// version is the tag that this binary was built from, or what the Go tool makes
// of a commit without one. A test's binary has none.
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		return b.Main.Version
	}
	return ""
}

// NewHandler returns the handler of [Init] on another writer, without service
// and function.
func NewHandler(w io.Writer) slog.Handler {
	return &handler{root: slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level(), ReplaceAttr: lambdacontext.ReplaceAttr})}
}

func level() slog.Level {
	switch os.Getenv("AWS_LAMBDA_LOG_LEVEL") {
	case "TRACE", "DEBUG":
		return slog.LevelDebug
	case "WARN":
		return slog.LevelWarn
	case "ERROR", "FATAL":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// handler adds requestId at the top of the line. A handler that simply added
// an attribute to the record would put it into the group that is open, where no
// query finds it.
type handler struct {
	root  slog.Handler
	after []func(slog.Handler) slog.Handler // what follows the first WithGroup
}

func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.root.Enabled(ctx, l) }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	to := h.root
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id := slog.String("requestId", lc.AwsRequestID)
		if len(h.after) > 0 {
			to = to.WithAttrs([]slog.Attr{id})
		} else {
			r = r.Clone()
			r.AddAttrs(id)
		}
	}
	for _, step := range h.after {
		to = step(to)
	}
	return to.Handle(ctx, r)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	if len(h.after) == 0 {
		return &handler{root: h.root.WithAttrs(attrs)}
	}
	return h.then(func(to slog.Handler) slog.Handler { return to.WithAttrs(attrs) })
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.then(func(to slog.Handler) slog.Handler { return to.WithGroup(name) })
}

func (h *handler) then(step func(slog.Handler) slog.Handler) slog.Handler {
	return &handler{root: h.root, after: append(slices.Clip(h.after), step)}
}
