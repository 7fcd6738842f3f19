// Command release writes what people install without Go or Node into
// dist/<version>: the command for each system, the stack with its functions for
// both processors, the widget's package, the Salesforce package, bills of
// materials, notes and checksums. make release runs it.
//
// The version is the tag of the commit that is checked out. Without a tag the
// files are a snapshot, named as git describe names the commit.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
	// architectures are template.yaml's names of GOARCH.
	architectures = map[string]string{"arm64": "arm64", "x86_64": "amd64"}
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: release path/to/cyclonedx-gomod, in the repository's root")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := release(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// maker writes the files of one version into a folder.
type maker struct {
	version string
	time    time.Time // of the commit: two runs write the same archives
	out     string
	work    string // removed at the end
}

func release(ctx context.Context, cyclonedx string) error {
	m, tagged, err := begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(m.work) }()
	notes, err := notesOf(m.version, tagged)
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.path("notes.md"), notes, 0o644); err != nil {
		return err
	}
	steps := []struct {
		does string
		run  func(context.Context) error
	}{
		{"the command", m.command},
		{"the stack", m.stack},
		{"the widget's package", func(ctx context.Context) error { return m.widget(ctx, tagged) }},
		{"the Salesforce package", m.salesforce},
		{"the bills of materials", func(ctx context.Context) error { return m.materials(ctx, cyclonedx) }},
		{"the checksums", func(context.Context) error { return m.checksums() }},
	}
	for i, s := range steps {
		fmt.Printf("%d/%d %s …\n", i+1, len(steps), s.does)
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.does, err)
		}
	}
	fmt.Println(m.out)
	return nil
}

// begin asks Git for the version and makes the folders.
func begin(ctx context.Context) (m *maker, tagged bool, err error) {
	tag, err := output(ctx, "git", "describe", "--tags", "--exact-match", "--match", "v*")
	tagged = err == nil
	name := tag
	if !tagged {
		if name, err = output(ctx, "git", "describe", "--tags", "--match", "v*", "--always", "--dirty"); err != nil {
			return nil, false, err
		}
		fmt.Printf("No tag v… on this commit: a snapshot, %s.\n", name)
	}
	changed, err := output(ctx, "git", "status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return nil, false, err
	}
	if tagged && changed != "" {
		return nil, false, errors.New("files are changed that the tag does not have: commit them, or git restore")
	}
	seconds, err := output(ctx, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return nil, false, err
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, false, err
	}
	m = &maker{version: name, time: time.Unix(at, 0).UTC(), out: filepath.Join("dist", name)}
	if err := os.RemoveAll(m.out); err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(m.out, 0o755); err != nil {
		return nil, false, err
	}
	m.work, err = os.MkdirTemp("", "caseroom-release-")
	return m, tagged, err
}

// path names a file of the release, such as caseroom_v1.2.3_notes.md.
func (m *maker) path(name string) string { return filepath.Join(m.out, m.base(name)) }

func (m *maker) base(name string) string { return "caseroom_" + m.version + "_" + name }

// command builds the operator's command, without the local run: that one
// compiles the functions and needs the repository.
func (m *maker) command(ctx context.Context) error {
	for _, p := range platforms {
		goos, goarch, _ := strings.Cut(p, "/")
		name := "caseroom"
		if goos == "windows" {
			name += ".exe"
		}
		file := filepath.Join(m.work, goos+"_"+goarch, name)
		if err := build(ctx, goos, goarch, "-tags", "norun", "-o", file, "./cmd/caseroom"); err != nil {
			return err
		}
		top := m.base(goos + "_" + goarch)
		a := archive{time: m.time}
		if err := errors.Join(a.file(top+"/"+name, file, 0o755), a.file(top+"/LICENSE", "LICENSE", 0o644)); err != nil {
			return err
		}
		if err := a.tar(m.path(goos + "_" + goarch + ".tar.gz")); err != nil {
			return err
		}
	}
	return nil
}

// stack packs what sam deploy and the command's pages and zendesk-app read.
func (m *maker) stack(ctx context.Context) error {
	template, err := os.ReadFile("template.yaml")
	if err != nil {
		return err
	}
	for _, arch := range slices.Sorted(maps.Keys(architectures)) {
		dir := filepath.Join(m.work, "functions_"+arch)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := build(ctx, "linux", architectures[arch], "-o", dir+"/", "./functions/..."); err != nil {
			return err
		}
		binaries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		top := m.base("stack_" + arch)
		a := archive{time: m.time}
		var functions []string
		for _, b := range binaries {
			code := archive{time: m.time}
			if err := code.file("bootstrap", filepath.Join(dir, b.Name()), 0o755); err != nil {
				return err
			}
			text, err := code.zip()
			if err != nil {
				return err
			}
			a.add(top+"/functions/"+b.Name()+".zip", text, 0o644)
			functions = append(functions, b.Name())
		}
		packaged, err := packageTemplate(template, arch, functions)
		if err != nil {
			return err
		}
		a.add(top+"/template.yaml", packaged, 0o644)
		for _, name := range []string{"monitoring.yaml", "samconfig.toml", "LICENSE"} {
			if err := a.file(top+"/"+name, name, 0o644); err != nil {
				return err
			}
		}
		for _, folder := range []string{"clients/web/dist", "clients/zendesk"} {
			if err := a.folder(top+"/"+folder, folder, ".go"); err != nil {
				return err
			}
		}
		if err := a.tar(m.path("stack_" + arch + ".tar.gz")); err != nil {
			return err
		}
	}
	return nil
}

// widget packs the browser's part as npm publish would.
func (m *maker) widget(ctx context.Context, tagged bool) error {
	text, err := os.ReadFile("clients/web/package.json")
	if err != nil {
		return err
	}
	var pkg struct{ Version string }
	if err := json.Unmarshal(text, &pkg); err != nil {
		return err
	}
	if tagged && "v"+pkg.Version != m.version {
		return fmt.Errorf("clients/web/package.json has the version %s, the tag is %s: npm version --no-git-tag-version", pkg.Version, m.version)
	}
	file, err := outputIn(ctx, "clients/web", "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", m.work)
	if err != nil {
		return err
	}
	return os.Rename(filepath.Join(m.work, filepath.Base(file)), m.path("web.tgz"))
}

// salesforce packs the folder that sf project deploy start reads.
func (m *maker) salesforce(ctx context.Context) error {
	return run(ctx, "git", "archive", "--format=tar.gz", "--prefix="+m.base("salesforce")+"/", "-o", m.path("salesforce.tar.gz"), "HEAD:clients/salesforce")
}

func (m *maker) materials(ctx context.Context, cyclonedx string) error {
	if err := run(ctx, cyclonedx, "mod", "-licenses", "-json", "-output", m.path("go.cdx.json")); err != nil {
		return err
	}
	bill, err := outputIn(ctx, "clients/web", "npm", "sbom", "--sbom-format", "cyclonedx", "--omit", "dev")
	if err != nil {
		return err
	}
	return os.WriteFile(m.path("web.cdx.json"), []byte(bill+"\n"), 0o644)
}

// checksums lists every file in the form that sha256sum --check reads.
func (m *maker) checksums() error {
	files, err := os.ReadDir(m.out)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(m.out, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(text), f.Name())
	}
	return os.WriteFile(m.path("checksums.txt"), list.Bytes(), 0o644)
}

// notesOf takes the version's section out of the changelog, and for a snapshot
// what is not yet released.
func notesOf(version string, tagged bool) ([]byte, error) {
	text, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return nil, err
	}
	section := "Unreleased"
	if tagged {
		section = strings.TrimPrefix(version, "v")
	}
	return changes(text, section)
}

func changes(changelog []byte, section string) ([]byte, error) {
	_, rest, found := bytes.Cut(changelog, []byte("\n## ["+section+"]"))
	if !found {
		return nil, fmt.Errorf("CHANGELOG.md has no section [%s]", section)
	}
	_, rest, _ = bytes.Cut(rest, []byte("\n")) // the date
	rest, _, _ = bytes.Cut(rest, []byte("\n## "))
	return append(bytes.TrimSpace(rest), '\n'), nil
}

// build runs the Go tool for another system; its own flags come from GOFLAGS.
func build(ctx context.Context, goos, goarch string, args ...string) error {
	cmd := command(ctx, "", "go", append([]string{"build", "-trimpath"}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	return cmd.Run()
}

func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	return cmd
}

func run(ctx context.Context, name string, args ...string) error {
	if err := command(ctx, "", name, args...).Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := command(ctx, "", name, args...)
	cmd.Stderr = nil // git describe complains of what is expected
	b, err := cmd.Output()
	return strings.TrimSpace(string(b)), err
}

func outputIn(ctx context.Context, dir, name string, args ...string) (string, error) {
	b, err := command(ctx, dir, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}
