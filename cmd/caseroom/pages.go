package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/caseroom/caseroom/cmd/caseroom/internal/cli"
	"github.com/caseroom/caseroom/shared/upstream"
)

// stackOutputs are what the pages must know of the stack.
type stackOutputs struct {
	API, Bucket, Pages string
	Parents            []string
	Config             map[string]any // more for config.json; wins
}

func pagesCommand() *cobra.Command {
	var outputs, web, extra string
	var dryRun bool
	var at place
	var p cli.Printer
	cmd := &cobra.Command{
		Use:   "pages",
		Short: "Upload the widget and the panel to the stack's bucket",
		Long: `Uploads the built clients to the bucket of a stack that hosts its pages
(parameter Pages=on), with the configuration that they need: where the API is,
and who may show the panel.

Without --stack it reads the stack's outputs as sam list stack-outputs --output json
prints them. AWS credentials are found as the AWS CLI finds them.`,
		Example: `  caseroom pages --stack caseroom --region eu-central-1
  sam list stack-outputs --stack-name caseroom --output json | caseroom pages --outputs -`,
		Args: cli.NoArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var cfg aws.Config
			if !dryRun || at.name != "" {
				var err error
				if cfg, err = at.aws(cmd.Context(), os.Getenv("AWS_ENDPOINT_URL")); err != nil {
					return err
				}
			}
			o, err := at.pageOutputs(cmd, cfg, outputs)
			if err != nil {
				return err
			}
			if extra != "" {
				text, err := os.ReadFile(extra)
				if err != nil {
					return err
				}
				if err := json.Unmarshal(text, &o.Config); err != nil {
					return fmt.Errorf("--config: not a JSON object: %w", err)
				}
			}
			var client putAPI
			if !dryRun {
				client = s3.NewFromConfig(cfg, func(s *s3.Options) {
					s.UsePathStyle = cfg.BaseEndpoint != nil
					// A function has seconds; the largest file over a slow line takes longer.
					s.HTTPClient = awshttp.NewBuildableClient().WithTimeout(uploadTime)
				})
			}
			files, err := uploadPages(cmd.Context(), client, os.DirFS(web), o, p.Note)
			switch {
			case cmd.Context().Err() != nil:
				return cmd.Context().Err()
			case err != nil && len(files) > 0:
				return cli.Partlyf("%w; %s uploaded, run it again for the rest", err, cli.Count(len(files), "file"))
			case err != nil:
				return err
			}
			done := map[string]any{"bucket": o.Bucket, "files": files, "widget": o.Pages + "/widget.js", "panel": o.Pages + "/panel.html", "uploaded": !dryRun}
			return p.Result(done, func(w io.Writer) {
				if dryRun {
					fmt.Fprintf(w, "%d files would go to %s\n", len(files), o.Bucket)
					return
				}
				fmt.Fprintf(w, "The widget is %s/widget.js, the panel %s/panel.html.\n", o.Pages, o.Pages)
			})
		},
	}
	at.deployedFlags(cmd)
	p.Flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&dryRun, "dry-run", false, "say what would be uploaded, and upload nothing")
	f.StringVar(&outputs, "outputs", "-", "the stack's outputs, where --stack does not name it; - for the standard input")
	cmd.MarkFlagsMutuallyExclusive("stack", "outputs")
	f.StringVar(&extra, "config", "", "a JSON object whose keys go into config.json, such as quickReplies")
	f.StringVar(&web, "web", filepath.Join("clients", "web", "dist"), "the built clients")
	return cmd
}

// pageOutputs asks CloudFormation, or reads the file that --outputs names.
func (p *place) pageOutputs(cmd *cobra.Command, cfg aws.Config, file string) (stackOutputs, error) {
	if p.name != "" {
		values, err := p.outputs(cmd.Context(), cfg)
		if err != nil {
			return stackOutputs{}, err
		}
		return newOutputs(values)
	}
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return stackOutputs{}, err
		}
		defer func() { _ = f.Close() }()
		return readOutputs(f)
	}
	in := cmd.InOrStdin()
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return stackOutputs{}, cli.Usagef("which stack? Say --stack NAME; or pipe its outputs in, as sam list stack-outputs --output json prints them")
	}
	return readOutputs(in)
}

// readOutputs reads [{"OutputKey": …, "OutputValue": …}].
func readOutputs(in io.Reader) (stackOutputs, error) {
	var list []struct {
		Key   string `json:"OutputKey"`
		Value string `json:"OutputValue"`
	}
	err := json.NewDecoder(io.LimitReader(in, 1<<20)).Decode(&list)
	if errors.Is(err, io.EOF) {
		return stackOutputs{}, errors.New("there are no outputs of the stack to read; whatever should have printed them says why")
	}
	if err != nil {
		return stackOutputs{}, fmt.Errorf("the stack's outputs are not the JSON that sam list stack-outputs --output json prints: %w", err)
	}
	values := map[string]string{}
	for _, x := range list {
		values[x.Key] = x.Value
	}
	return newOutputs(values)
}

// newOutputs takes what the pages must know out of a stack's outputs.
func newOutputs(values map[string]string) (stackOutputs, error) {
	o := stackOutputs{API: values["ApiUrl"], Bucket: values["PagesBucketName"], Pages: values["PagesUrl"]}
	if parents, ok := values["PanelParents"]; ok {
		o.Parents = strings.Split(parents, ",")
	}
	if o.Bucket == "" {
		return o, errors.New("the stack has no output PagesBucketName: deploy it with Pages=on")
	}
	if _, err := upstream.ParseBaseURL(o.API, true); err != nil {
		return o, fmt.Errorf("the stack's output ApiUrl: %w", err)
	}
	return o, nil
}

// uploadTime is how long one try to upload a file may take.
const uploadTime = 2 * time.Minute

type putAPI interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// uploadPages puts hashed files first, so that no page names one that is not
// there yet. Without a client it only says what it would put. It returns what
// is done, also with an error.
func uploadPages(ctx context.Context, client putAPI, web fs.FS, o stackOutputs, note func(string, ...any)) ([]string, error) {
	if _, err := fs.Stat(web, "widget.js"); err != nil {
		return nil, errors.New("the clients are not built: make web")
	}
	var hashed, named []string
	err := fs.WalkDir(web, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || !e.Type().IsRegular() || name == "config.json":
		case strings.HasPrefix(name, "assets/"):
			hashed = append(hashed, name)
		default:
			named = append(named, name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	all := append(hashed, append(named, "config.json")...)
	for i, name := range all {
		body, err := page(web, name, o)
		if err != nil {
			return all[:i], err
		}
		// The distribution's cache heeds this: a new version of what has a fixed
		// name is there within a minute.
		cache := "public, max-age=60"
		if i < len(hashed) {
			cache = "public, max-age=31536000, immutable"
		}
		if client == nil {
			continue
		}
		if _, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &o.Bucket, Key: aws.String(name), Body: bytes.NewReader(body),
			ContentType: aws.String(contentType(name)), CacheControl: &cache,
		}); err != nil {
			return all[:i], fmt.Errorf("%s: %w", name, err)
		}
		note("%3d/%d %s", i+1, len(all), name)
	}
	return all, nil
}

// page is a file as it is uploaded. Pages get a policy of their own beside the
// distribution's, which cannot name the API: they may ask it and no other.
func page(web fs.FS, name string, o stackOutputs) ([]byte, error) {
	if name == "config.json" {
		config := map[string]any{"api": o.API, "chat": map[string]string{"kind": "tencent"}, "parents": o.Parents}
		if o.Parents == nil {
			config["parents"] = []string{}
		}
		maps.Copy(config, o.Config)
		return json.Marshal(config)
	}
	body, err := fs.ReadFile(web, name)
	if err != nil || path.Ext(name) != ".html" {
		return body, err
	}
	const head = "<head>"
	if !bytes.Contains(body, []byte(head)) {
		return nil, fmt.Errorf("%s has no head for its policy", name)
	}
	meta := head + `<meta http-equiv="Content-Security-Policy" content="connect-src 'self' ` + o.API + " " + chatHosts + `">`
	return bytes.Replace(body, []byte(head), []byte(meta), 1), nil
}

// chatHosts are what Tencent's Web SDK and Zendesk's own chats connect to; the
// same stand in template.yaml.
const chatHosts = "https://*.im.qcloud.com wss://*.im.qcloud.com https://*.my-imcloud.com wss://*.my-imcloud.com" +
	" wss://*.my-cpaas.com wss://*.im.tencent.cn https://*.myqcloud.com" +
	" https://*.zopim.com wss://*.zopim.com https://*.zdassets.com https://*.zendesk.com wss://*.zendesk.com"

func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}
