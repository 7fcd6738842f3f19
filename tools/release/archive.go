package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// archive collects files, all with one time and no owner, so that the same
// files give the same bytes.
type archive struct {
	time    time.Time
	entries []entry
}

type entry struct {
	name string
	text []byte
	mode fs.FileMode
}

func (a *archive) add(name string, text []byte, mode fs.FileMode) {
	a.entries = append(a.entries, entry{name, text, mode})
}

func (a *archive) file(name, from string, mode fs.FileMode) error {
	text, err := os.ReadFile(from)
	if err == nil {
		a.add(name, text, mode)
	}
	return err
}

// folder adds what is below a folder, but for names that end in without.
func (a *archive) folder(name, from, without string) error {
	return filepath.WalkDir(from, func(file string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.HasSuffix(file, without) {
			return err
		}
		below, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		return a.file(path.Join(name, filepath.ToSlash(below)), file, 0o644)
	})
}

func (a *archive) tar(file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	for _, e := range a.entries {
		h := &tar.Header{Name: e.name, Mode: int64(e.mode), Size: int64(len(e.text)), ModTime: a.time, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(e.text); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), z.Close())
}

// zip is what Lambda takes: the mode lets it run the file bootstrap.
func (a *archive) zip() ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range a.entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: a.time}
		h.SetMode(e.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}
