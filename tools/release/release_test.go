package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const root = "../.."

func TestPackagedTemplateNeedsNoBuild(t *testing.T) {
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	folders, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil {
		t.Fatal(err)
	}
	var functions []string
	for _, f := range folders {
		functions = append(functions, f.Name())
	}
	packaged, err := packageTemplate(template, "x86_64", functions)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Parameters map[string]struct {
			Default string `yaml:"Default"`
		} `yaml:"Parameters"`
		Resources map[string]struct {
			Type       string         `yaml:"Type"`
			Metadata   map[string]any `yaml:"Metadata"`
			Properties struct {
				CodeUri string `yaml:"CodeUri"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(packaged, &got); err != nil {
		t.Fatal(err)
	}
	if got.Parameters["Architecture"].Default != "x86_64" {
		t.Errorf("Architecture is %+v", got.Parameters["Architecture"])
	}
	n := 0
	for id, r := range got.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		n++
		if !strings.HasSuffix(r.Properties.CodeUri, ".zip") || r.Metadata["BuildMethod"] != nil {
			t.Errorf("%s: code %q, metadata %v", id, r.Properties.CodeUri, r.Metadata)
		}
	}
	if n != len(functions) {
		t.Errorf("%d functions in the template, %d in the folder", n, len(functions))
	}

	if _, err := packageTemplate(template, "arm64", functions[1:]); err == nil {
		t.Error("a function without code went through")
	}
}

func TestFunctionZip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "createticket")
	if err := os.WriteFile(file, []byte("\x7fELF"), 0o644); err != nil {
		t.Fatal(err)
	}
	pack := func() []byte {
		a := archive{time: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
		if err := a.file("bootstrap", file, 0o755); err != nil {
			t.Fatal(err)
		}
		text, err := a.zip()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := pack()
	if !bytes.Equal(first, pack()) {
		t.Error("the same file gave two zips")
	}
	r, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 1 || r.File[0].Name != "bootstrap" || r.File[0].Mode().Perm() != 0o755 {
		t.Errorf("the zip holds %+v", r.File)
	}
}

func TestChanges(t *testing.T) {
	changelog := []byte("# Changelog\n\n## [Unreleased]\n\n- new\n\n## [1.1.0] - 2026-12-01\n\n### Added\n\n- a widget\n\n## [1.0.0] - 2026-11-01\n\n- the first\n")
	for section, want := range map[string]string{
		"Unreleased": "- new\n",
		"1.1.0":      "### Added\n\n- a widget\n",
		"1.0.0":      "- the first\n",
	} {
		if got, err := changes(changelog, section); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", section, got, err, want)
		}
	}
	if _, err := changes(changelog, "1.2.0"); err == nil {
		t.Error("a version without a section has notes")
	}
}
