package salesforce

import (
	"context"
	"net/url"
	"strings"

	"github.com/caseroom/caseroom/shared/upstream"
)

// Object is what an org says of an object: what it has, and what the user whose
// credentials these are may do with it. A field that the user may not read is
// not among Fields.
type Object struct {
	Name       string
	Createable bool
	Updateable bool
	Queryable  bool
	Fields     []Field
}

// Field is a field of an object.
type Field struct {
	Name          string
	Type          string
	Length        int
	Unique        bool
	ExternalID    bool `json:"externalId"`
	CaseSensitive bool
	Createable    bool
	Updateable    bool
}

// Field returns a field by its name, without regard to case.
func (o Object) Field(name string) (Field, bool) {
	for _, f := range o.Fields {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return Field{}, false
}

// NoObject reports whether err says that the org has no such object, or that
// the user may not see it.
func NoObject(err error) bool {
	return upstream.HasCode(err, codeNotFound, "INVALID_TYPE", "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY", "INVALID_FIELD")
}

// Describe reads an object's description.
//
//	GET /services/data/v68.0/sobjects/Case/describe
//	200 {"name","createable","updateable","queryable","fields":[{"name","type","length","unique","externalId","caseSensitive","createable","updateable"}]}
//	404 [{"errorCode":"NOT_FOUND"}]
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm.
func (c *Client) Describe(ctx context.Context, object string) (o Object, err error) {
	err = c.read(ctx, "sobject_describe", c.data()+"/sobjects/"+url.PathEscape(object)+"/describe", &o)
	return o, err
}
