package identity_test

import (
	"testing"
	"time"

	"github.com/tencentyun/tls-sig-api-v2-golang/tencentyun"

	"github.com/caseroom/caseroom/shared/identity"
)

// What signing costs, by caseroom with its rules and by Tencent's library alone.
func BenchmarkUserSig(b *testing.B) {
	const app, key = 1400000000, "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"
	s := identity.Signer{Rules: identity.Rules{AdminUserID: "administrator"}, SDKAppID: app, SecretKey: key, Now: time.Now}
	id, err := s.EndUser("https://login.example.com", "dana")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("caseroom", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Sign(id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tencentyun.GenUserSig(app, key, id.ID(), 86400); err != nil {
				b.Fatal(err)
			}
		}
	})
}
