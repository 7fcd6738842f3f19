package localrun

import (
	"os/exec"
	"testing"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `it's "quoted" $HOME \n`, "a\nb", "''"} {
		got, err := exec.Command("sh", "-c", "printf %s "+quote(s)).Output()
		if err != nil || string(got) != s {
			t.Errorf("%q became %q, %v", s, got, err)
		}
	}
}
