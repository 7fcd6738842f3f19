package lambdahost

import (
	"strings"
	"testing"
)

func FuzzParseResponse(f *testing.F) {
	f.Add([]byte(`{"statusCode":200,"headers":{"a":1},"cookies":["a=1"],"body":"eA==","isBase64Encoded":true}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"statusCode":null}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := parseResponse(payload)
		if err == nil && (r.status < 100 || r.status > 599 || r.header.Get("Transfer-Encoding") != "") {
			t.Errorf("%s: %+v", payload, r)
		}
	})
}

func FuzzDecodePath(f *testing.F) {
	f.Add("/items/a%252Fb%3Fc")
	f.Fuzz(func(t *testing.T, sent string) {
		path, err := decodePath(sent)
		if err == nil && !strings.Contains(sent, "%") && path != sent && !strings.Contains(sent, "?") {
			t.Errorf("%q became %q", sent, path)
		}
	})
}

func FuzzBatchFailures(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":"x"}]}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		// Of an empty batch nothing can have failed by name.
		if failed, err := batchFailures(response, nil); err == nil && len(failed) > 0 {
			t.Errorf("%s: %v", response, failed)
		}
	})
}
