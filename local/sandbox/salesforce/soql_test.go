package salesforce

import (
	"testing"
	"time"

	"github.com/caseroom/caseroom/local/sandbox/engine"
)

// FuzzSOQL sends queries to the parser and runs what it takes.
func FuzzSOQL(f *testing.F) {
	for _, q := range []string{
		"SELECT Id, CaseNumber, Owner.Name FROM Case WHERE Caseroom_Key__c != null AND SystemModstamp > 2026-11-20T12:00:00Z ORDER BY SystemModstamp DESC NULLS LAST LIMIT 10 OFFSET 1",
		"SELECT COUNT() FROM Group WHERE NOT (Name LIKE 'S%_' OR Id IN ('00GHs0000000001', null))",
		`SELECT Id FROM User WHERE Name = 'a\'b\\' AND IsActive = true`,
		"SELECT Case.Id FROM Case WHERE Parent.Id = 'x'", "SELECT Id FROM Case WHERE Subject = '\\", "((((", "\xff'",
	} {
		f.Add(q)
	}
	e := engine.New(engine.Options{Now: func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }})
	org := New(e, Fixture{}).f
	e.Lock()
	defer e.Unlock()
	org.version = "68.0"
	org.add(org.objects["case"], map[string]any{"Subject": "x", "OwnerId": org.queue})
	f.Fuzz(func(t *testing.T, q string) {
		parsed, err := parseSOQL(q)
		if err == nil {
			_, _, err = org.run(parsed, true)
		}
		if err != nil && (err.code == "" || err.message == "") {
			t.Errorf("%q: a refusal without a code", q)
		}
	})
}
