package kustomize

import (
	"regexp"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// imaging is the transformer of one entry of the field images.
type imaging struct {
	types.Image
	pattern *regexp.Regexp // nil where it matches nothing
	fields  *fieldSpecs
}

func newImagings(k *types.Kustomization) ([]transformer, error) {
	if len(k.Images) == 0 {
		return nil, nil
	}
	fields, err := compileFields(defaultFields().fields["images"])
	if err != nil {
		return nil, err
	}
	all := make([]transformer, len(k.Images))
	for i, image := range k.Images {
		// A name that is no regular expression matches nothing, as it does with kustomize.
		pattern, _ := regexp.Compile("^" + image.Name + imageVersion)
		all[i] = imaging{image, pattern, fields}
	}
	return all, nil
}

// imageVersion is what may follow the name of an image: a tag, with the placeholders that some tools put there, and a digest.
const imageVersion = `(:[\w.{}-]*)?(@[0-9A-Za-z]+(?:[-.+_][0-9A-Za-z]+)*:[\w.{}-]*)?$`

// transform does what kustomize does: first whatever stands in lists that are called containers or initContainers, wherever
// they are, and then the fields where images are known to be. Some images are in both, so a suffix can be added twice.
func (im imaging) transform(o *item) error {
	if im.pattern == nil || o.gvk().Kind == "CustomResourceDefinition" {
		return nil
	}
	if err := im.walk(o.object); err != nil {
		return err
	}
	return im.fields.each(o, &setting{leaf: im.set})
}

func (im imaging) walk(value any) error {
	switch v := value.(type) {
	case []any:
		for _, child := range v {
			if err := im.walk(child); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, child := range v {
			if err := im.walk(child); err != nil {
				return err
			}
			if list, ok := child.([]any); ok && (key == "containers" || key == "initContainers") {
				if err := im.containers(list); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (im imaging) containers(list []any) error {
	for _, element := range list {
		container, ok := element.(map[string]any)
		if !ok && element != nil {
			return errUnsure
		}
		image, ok := container["image"]
		if !ok {
			continue
		}
		changed, err := im.set(image)
		if err != nil {
			return err
		}
		container["image"] = changed
	}
	return nil
}

// set returns the image that stands in the place of another.
func (im imaging) set(value any) (any, error) {
	before, ok := value.(string)
	if !ok {
		return nil, errUnsure // a number: how it was spelt is not known
	}
	if !im.pattern.MatchString(before) {
		return before, nil
	}
	after := im.renamed(before)
	if !isPlainText(after) {
		return nil, errUnsure
	}
	return after, nil
}

func (im imaging) renamed(image string) string {
	name, tag, digest := splitImage(image)
	if im.NewName != "" {
		name = im.NewName
	}
	switch {
	case im.NewTag != "" || im.Digest != "":
		tag, digest = im.NewTag, im.Digest
	case im.TagSuffix != "":
		tag, digest = tag+im.TagSuffix, ""
	}
	if tag != "" {
		name += ":" + tag
	}
	if digest != "" {
		name += "@" + digest
	}
	return name
}

// splitImage takes an image apart as kustomize does: what stands before the first slash may be a host with a port.
func splitImage(image string) (name, tag, digest string) {
	host := max(strings.IndexByte(image, '/'), 0)
	rest := image[host:]
	at, colon := strings.IndexByte(rest, '@'), strings.IndexByte(rest, ':')
	end := len(rest)
	if at >= 0 {
		digest, end = rest[at+1:], at
	}
	if colon >= 0 && colon < end {
		tag, end = rest[colon+1:end], colon
	}
	return image[:host+end], tag, digest
}

// isPlainText says whether YAML takes a text for a text without quotes. Kustomize leaves some of what it sets without a tag,
// so that what it is taken for depends on whether there were quotes before.
func isPlainText(text string) bool {
	n := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	return n.ShortTag() == yaml.NodeTagString
}
