package identity_test

import (
	"testing"

	"github.com/caseroom/caseroom/shared/identity"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"ACME.zendesk.com": "acme.zendesk.com", "acme.zendesk.com:8443": "acme.zendesk.com:8443",
		"127.0.0.1:3100": "127.0.0.1:3100", "localhost:3100": "127.0.0.1:3100", "[::1]:3100": "127.0.0.1:3100",
		"Host.Docker.Internal:3100": "127.0.0.1:3100", "localhost": "127.0.0.1", "[::1]": "127.0.0.1",
		"localhost.example.com:3100": "localhost.example.com:3100", "10.0.0.1:3100": "10.0.0.1:3100", "": "",
	} {
		if got := identity.Host(host); got != want {
			t.Errorf("Host(%q) = %q, want %q", host, got, want)
		}
	}
}
