// The program that has rclone or the AWS CLI do the works.
package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/gitopskit/gitopskit/internal/bench/fetch"
	"github.com/gitopskit/gitopskit/internal/bench/measure"
	"github.com/gitopskit/gitopskit/internal/bench/objects"
)

func main() { objects.Main(open) }

// A run is one job.
type run struct {
	objects.Job
	dir     string // what is in step with the bucket
	args    []string
	env     []string
	peakMiB float64
}

func open(ctx context.Context, j objects.Job) (*fetch.Fetch, error) {
	r := &run{Job: j, dir: filepath.Join(j.Folder, "files")}
	if j.Work != objects.First {
		r.dir = j.Standing
	}
	prepare, ok := map[string]func() error{"rclone": r.rclone, "aws": r.aws}[j.Who]
	if !ok {
		return nil, fmt.Errorf("%s is not known here", j.Who)
	}
	if err := prepare(); err != nil {
		return nil, err
	}
	if j.Work != objects.First {
		if err := r.sync(ctx); err != nil {
			return nil, err
		}
	}
	return &fetch.Fetch{
		Run: func(ctx context.Context) (fs.FS, error) {
			if err := r.sync(ctx); err != nil {
				return nil, err
			}
			return os.DirFS(r.dir), nil
		},
		PeakMiB: func() float64 { return r.peakMiB },
	}, nil
}

func (r *run) sync(ctx context.Context) (err error) {
	cmd := exec.CommandContext(ctx, r.Program, r.args...)
	cmd.Dir = r.Folder
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.Folder, "LC_ALL=C.UTF-8"}, r.env...)
	r.peakMiB, err = measure.Pipe(cmd)
	return err
}

// rclone takes from the listing when an object was changed, and not by a HEAD of each. A HEAD before each GET and the
// question whether there is the bucket are off.
func (r *run) rclone() error {
	r.args = []string{"sync", "bench:" + r.Bucket, r.dir, "--config=", "--quiet", "--fast-list",
		"--transfers=32", "--checkers=32", "--use-server-modtime", "--s3-no-check-bucket", "--s3-no-head-object"}
	for name, value := range map[string]string{"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": "http://" + r.Endpoint,
		"REGION": objects.Region, "ACCESS_KEY_ID": r.AccessKey, "SECRET_ACCESS_KEY": r.SecretKey, "FORCE_PATH_STYLE": "true",
		"LIST_VERSION": "2"} {
		r.env = append(r.env, "RCLONE_CONFIG_BENCH_"+name+"="+value)
	}
	return nil
}

// awsConfig has what the environment cannot say.
const awsConfig = `[default]
region = ` + objects.Region + `
s3 =
  addressing_style = path
  max_concurrent_requests = 32
  max_queue_size = 10000
`

func (r *run) aws() error {
	config := filepath.Join(r.Folder, "config")
	r.args = []string{"s3", "sync", "s3://" + r.Bucket, r.dir, "--endpoint-url=http://" + r.Endpoint, "--delete",
		"--only-show-errors", "--no-progress"}
	r.env = []string{"AWS_ACCESS_KEY_ID=" + r.AccessKey, "AWS_SECRET_ACCESS_KEY=" + r.SecretKey, "AWS_CONFIG_FILE=" + config,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER="}
	return os.WriteFile(config, []byte(awsConfig), 0o600)
}
