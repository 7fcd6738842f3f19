package lifecycle

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/tests/world"
)

// A vendor is out of order for a day, while agents and customers go on as far
// as they can and half of the notifications never come. When it is back,
// everything is caught up by itself, and nothing has died of it.
func TestOutageOfADay(t *testing.T) {
	ways := []struct {
		how  string
		fate world.Fate
	}{{"503", world.Unavailable}, {"no answer", world.Hang}, {"no connection", world.Lost}}
	for i, vendor := range []string{"zendesk", "salesforce", "tencent", "aws"} {
		for j, way := range ways {
			t.Run(vendor+"/"+way.how, func(t *testing.T) {
				if *soak == 0 && i%len(ways) != j {
					t.Skip("one way of each vendor is enough for every day; all of them in make soak")
				}
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := begin(t, world.Options{Seed: 1})
					defer h.end()
					h.workers = places(3)
					outage(h, vendor, way.fate)
				})
			})
		}
	}
}

func outage(h *history, vendor string, how world.Fate) {
	for i := range 8 {
		desk := []relay.DeskName{relay.Zendesk, relay.Salesforce}[i%2]
		h.create(desk, fmt.Sprintf("customer-%d", i/4), 1)
	}
	h.pump(5 * time.Minute)
	h.find()
	for i, l := range h.lives {
		h.assign(l, i%3-1)
	}
	h.deliverAll()
	h.pump(5 * time.Minute)
	h.checkTable()

	h.out(vendor, how)
	for hour := range 24 {
		h.find()
		for i, l := range h.lives[:8] {
			switch (hour + 3*i) % 24 {
			case 1:
				h.talk(l, l.customer)
				h.assign(l, (l.agent+2)%2)
			case 4:
				h.solve(l)
			case 7:
				h.talk(l, l.customer) // which is locked, or not yet
			case 9:
				if l.status != "open" && i != 2 {
					h.reopen(l)
				}
			case 11:
				if i == 4 || i == 5 {
					h.remove(l, false)
				}
			case 15:
				if l.deleted {
					h.undelete(l)
				}
			}
		}
		// New customers come, and come again, and may go away without a ticket.
		h.create([]relay.DeskName{relay.Zendesk, relay.Salesforce}[hour%2], "late", 1+hour%3)
		for h.newsCount() > 0 {
			if n := h.takeNews(0); hour%2 == 0 {
				h.deliver(n, 1)
			}
		}
		h.pump(time.Hour)
	}
	h.back(vendor)
	h.pump(2 * time.Hour)
	h.checkTable()
	if !h.resting() {
		h.Errorf("two hours later there is still something to do")
	}
}
