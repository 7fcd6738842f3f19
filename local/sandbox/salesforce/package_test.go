package salesforce

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packaged is a field of the Salesforce package, as its metadata describes it.
type packaged struct {
	FullName      string `xml:"fullName"`
	Type          string `xml:"type"`
	Length        int    `xml:"length"`
	Unique        bool   `xml:"unique"`
	CaseSensitive bool   `xml:"caseSensitive"`
	ExternalID    bool   `xml:"externalId"`
	Required      bool   `xml:"required"`
	ReferenceTo   string `xml:"referenceTo"`
}

// TestSalesforcePackage holds the stand-in to the package that an org installs:
// the same fields, as long, as unique, as required.
func TestSalesforcePackage(t *testing.T) {
	const objects = "../../../clients/salesforce/force-app/main/default/objects/"
	files, err := filepath.Glob(objects + "*/fields/*.field-meta.xml")
	if err != nil || len(files) == 0 {
		t.Fatal("no fields", err)
	}
	schema := objectSchema()
	there := map[string]bool{}
	for _, file := range files {
		object := schema[strings.ToLower(filepath.Base(filepath.Dir(filepath.Dir(file))))]
		if object == nil {
			continue // what caseroom's functions never meet
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var p packaged
		if err := xml.Unmarshal(b, &p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		there[object.name+"."+p.FullName] = true
		d := object.field(p.FullName)
		if d == nil {
			t.Errorf("%s.%s: the stand-in has no such field", object.name, p.FullName)
			continue
		}
		if p.Type == "MasterDetail" {
			if d.kind != referenceKind || !d.required || len(d.refs) != 1 || schema[strings.ToLower(p.ReferenceTo)].prefix != d.refs[0] {
				t.Errorf("%s.%s: package %+v, stand-in %+v", object.name, p.FullName, p, *d)
			}
			continue
		}
		want := packaged{
			FullName: d.name, Type: p.Type, Length: d.max,
			Unique: d.unique, CaseSensitive: d.exact, ExternalID: d.external, Required: d.required,
		}
		if p != want {
			t.Errorf("%s.%s: package %+v, stand-in %+v", object.name, p.FullName, p, want)
		}
	}
	for _, object := range schema {
		for _, d := range object.fields {
			if strings.HasPrefix(d.name, "Caseroom_") && !there[object.name+"."+d.name] {
				t.Errorf("%s.%s: the package has no such field", object.name, d.name)
			}
		}
		if object.packaged {
			if _, err := os.Stat(objects + object.name + "/" + object.name + ".object-meta.xml"); err != nil {
				t.Error(err)
			}
		}
	}
}
