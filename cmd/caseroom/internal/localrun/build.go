package localrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/caseroom/caseroom/local/lambdahost"
)

// Binaries builds the stack's functions for this machine, as they are built for
// Lambda, and returns where each is by its CodeUri.
func Binaries(ctx context.Context, root string, stack *lambdahost.Stack, noBuild bool, out io.Writer) (func(codeURI string) string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	path := func(codeURI string) string {
		return filepath.Join(root, "bin", filepath.Base(codeURI), "bootstrap")
	}
	if !noBuild {
		started := time.Now()
		fmt.Fprintf(out, "building %d functions …\n", len(stack.Functions))
		if err := build(ctx, root, stack, path); err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "built in %.1f s\n", time.Since(started).Seconds())
	}
	for _, f := range stack.Functions {
		if _, err := os.Stat(path(f.CodeURI)); err != nil {
			return nil, fmt.Errorf("%s has no bootstrap at %s: run without --no-build", f.LogicalID, path(f.CodeURI))
		}
	}
	return path, nil
}

// build runs the Go tool once for all functions, so that it compiles what they
// share once and links them side by side.
func build(ctx context.Context, root string, stack *lambdahost.Stack, path func(string) string) error {
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(bin, ".build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	args := []string{"build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", fresh + string(filepath.Separator)}
	for _, f := range stack.Functions {
		args = append(args, "./"+filepath.ToSlash(filepath.Clean(f.CodeURI)))
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("building needs the Go tool on the PATH")
		}
		return fmt.Errorf("building failed:\n%s", strings.TrimSpace(string(text)))
	}
	for _, f := range stack.Functions {
		to := path(f.CodeURI)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		// A rename leaves a bootstrap that is running as it is.
		if err := os.Rename(filepath.Join(fresh, filepath.Base(f.CodeURI)), to); err != nil {
			return err
		}
	}
	return nil
}
