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
// share once and links them side by side. What it has linked stays in bin/.linked,
// where it is not linked again until a source changes.
func build(ctx context.Context, root string, stack *lambdahost.Stack, path func(string) string) error {
	bin := filepath.Join(root, "bin")
	linked := filepath.Join(bin, ".linked")
	if err := os.MkdirAll(linked, 0o755); err != nil {
		return err
	}
	// In the same file system the tool replaces a binary by a rename, so that a
	// build beside this one never sees half of it.
	work, err := os.MkdirTemp(bin, ".build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	args := []string{"build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "-o", linked + string(filepath.Separator)}
	for _, f := range stack.Functions {
		args = append(args, "./"+filepath.ToSlash(filepath.Clean(f.CodeURI)))
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+work)
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
		name := filepath.Base(f.CodeURI)
		if err := place(filepath.Join(linked, name), path(f.CodeURI), filepath.Join(work, name)); err != nil {
			return err
		}
	}
	return nil
}

// place gives a linked binary its bootstrap's name too. A bootstrap that is
// running stays as it is. The path aside must be free.
func place(binary, bootstrap, aside string) error {
	was, err := os.Stat(bootstrap)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	is, err := os.Stat(binary)
	if err != nil {
		return err
	}
	if os.SameFile(was, is) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(bootstrap), 0o755); err != nil {
		return err
	}
	if err := os.Link(binary, aside); err != nil {
		return err
	}
	return os.Rename(aside, bootstrap)
}
