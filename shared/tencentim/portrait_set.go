package tencentim

import (
	"context"

	"github.com/caseroom/caseroom/shared/upstream"
)

const profileService = "profile"

// codeNoProfile refuses a profile of an account that does not exist.
const codeNoProfile = "40003"

// The standard fields of a profile that tell who somebody is.
var personal = []string{"Tag_Profile_IM_Nick", "Tag_Profile_IM_Image", "Tag_Profile_IM_SelfSignature"}

// ClearProfile empties the name, the picture and the signature that others see
// of an account. It sets the same values each time, so it may be repeated. It
// reports false for an account that does not exist.
//
//	{"From_Account":"dana","ProfileItem":[{"Tag":"Tag_Profile_IM_Nick","Value":""}]}
//
// See https://trtc.io/document/34916.
func (c *Client) ClearProfile(ctx context.Context, userID string) (bool, error) {
	type item struct{ Tag, Value string }
	in := struct {
		UserID      string `json:"From_Account"`
		ProfileItem []item
	}{UserID: userID}
	for _, tag := range personal {
		in.ProfileItem = append(in.ProfileItem, item{Tag: tag})
	}
	_, err := repeat[nothing](ctx, c, profileService, "portrait_set", in)
	if upstream.HasCode(err, codeNoProfile) || noAccount(err) {
		return false, nil
	}
	return err == nil, err
}
