package relay

import (
	"slices"
	"sync"
)

// nicks remembers which accounts this process has imported, by the names it
// gave them, so that an agent of a thousand tickets is imported once.
type nicks struct {
	mu    sync.Mutex
	known map[string]string
}

const maxNicks = 10000

// fresh returns the accounts that were not imported under their present names.
func (n *nicks) fresh(accounts []Account) []Account {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(accounts), func(a Account) bool {
		nick, ok := n.known[a.UserID]
		return ok && nick == a.Nick
	})
}

func (n *nicks) add(accounts []Account) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) > maxNicks {
		n.known = map[string]string{}
	}
	for _, a := range accounts {
		n.known[a.UserID] = a.Nick
	}
}

func (n *nicks) forget(userID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.known, userID)
}
