package salesforce

import (
	"context"
	"net/http"
	"net/url"
)

// transcript is the object that our package brings for transcripts.
const transcript = "Caseroom_Transcript__c"

// UpsertTranscript writes a part of a transcript under its unique name. The
// same part again changes nothing; another that starts alike is refused with
// DUPLICATE_VALUE, for start is unique too.
//
//	PATCH /services/data/v68.0/sobjects/Caseroom_Transcript__c/Caseroom_Name__c/<name>
//	      {"Caseroom_Case__c":"500…","Caseroom_Start__c":"<start>","Caseroom_Body__c":"…"}
//	201 or 200 {"id","success":true,"created":…}
//
// See https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_upsert.htm.
func (c *Client) UpsertTranscript(ctx context.Context, caseID, name, start, body string) error {
	return c.write(ctx, "transcript_upsert", http.MethodPatch,
		c.data()+"/sobjects/"+transcript+"/Caseroom_Name__c/"+url.PathEscape(name),
		map[string]string{"Caseroom_Case__c": caseID, "Caseroom_Start__c": start, "Caseroom_Body__c": body})
}

// Transcripts returns the names of the parts that are filed on a case.
//
//	SELECT Caseroom_Name__c FROM Caseroom_Transcript__c WHERE Caseroom_Case__c = '500…'
func (c *Client) Transcripts(ctx context.Context, caseID string) ([]string, error) {
	rows, err := query[struct {
		Name string `json:"Caseroom_Name__c"`
	}](ctx, c, "SELECT Caseroom_Name__c FROM "+transcript+" WHERE Caseroom_Case__c IN "+quoted([]string{caseID}), false)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.Name
	}
	return names, nil
}
