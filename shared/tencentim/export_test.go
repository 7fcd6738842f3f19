package tencentim

import "sync/atomic"

// CountSignings counts from now on how often c makes a UserSig.
func CountSignings(c *Client) *atomic.Int32 {
	var n atomic.Int32
	sign := c.signatures.sign
	c.signatures.sign = func(sdkAppID int, key, userID string, expire int) (string, error) {
		n.Add(1)
		return sign(sdkAppID, key, userID, expire)
	}
	return &n
}

// Codes returns every ErrorCode in the table.
func Codes() []int {
	var codes []int
	for code := range outcomes {
		codes = append(codes, code)
	}
	return codes
}

// Cut is cut.
var Cut = cut
