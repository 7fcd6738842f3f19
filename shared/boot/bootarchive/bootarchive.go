// Package bootarchive is S3's part of a function's start-up, apart from [boot] so
// that only functions which file transcripts link its client.
package bootarchive

import (
	"github.com/caseroom/caseroom/shared/boot"
	"github.com/caseroom/caseroom/shared/config"
	"github.com/caseroom/caseroom/shared/relay"
	"github.com/caseroom/caseroom/shared/s3archive"
)

// Archive returns the bucket for what no ticket takes, nil where there is none.
func Archive(p *boot.Process, c config.Lifecycle) relay.Archive {
	if c.TranscriptBucket == "" {
		return nil
	}
	return s3archive.New(p.AWS, c.TranscriptBucket)
}
