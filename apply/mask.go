package apply

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What stands for a value that nobody is to see.
const (
	mask        = "***"
	maskChanged = "*** (changed)"
)

func isSecret(ref Ref) bool { return ref.Group == "" && ref.Kind == "Secret" }

// mergeStringData has a Secret say in data what it says in stringData, as the server would.
func mergeStringData(secret map[string]any) {
	data, isMap := secret["data"].(map[string]any)
	texts, _ := secret["stringData"].(map[string]any)
	delete(secret, "stringData")
	if secret["data"] != nil && !isMap {
		return
	}
	merged := make(map[string]any, len(data)+len(texts))
	maps.Copy(merged, data)
	for k, v := range texts {
		merged[k] = base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(v)))
	}
	if len(merged) > 0 {
		secret["data"] = merged
	}
}

// hide puts masks where two states of an object have what nobody is to see. They tell no more than whether it changes.
// Both are contents, and are changed.
func hide(was, will map[string]any, secret bool) {
	a, aIsMap := was["data"].(map[string]any)
	b, bIsMap := will["data"].(map[string]any)
	switch {
	case !secret:
	case (aIsMap || was["data"] == nil) && (bIsMap || will["data"] == nil):
		all := make(map[string]any, len(a)+len(b))
		maps.Copy(all, a)
		maps.Copy(all, b)
		for k := range all {
			hideEntry(a, b, k)
		}
	default:
		hideEntry(was, will, "data")
	}
	hideEntry(annotations(was), annotations(will), lastApplied)
}

func annotations(o map[string]any) map[string]any {
	metadata, _ := o["metadata"].(map[string]any)
	found, _ := metadata["annotations"].(map[string]any)
	return found
}

func hideEntry(was, will map[string]any, key string) {
	a, had := was[key]
	b, has := will[key]
	if had {
		was[key] = mask
	}
	if has {
		will[key] = mask
	}
	if had && has && !reflect.DeepEqual(a, b) {
		will[key] = maskChanged
	}
}

// withoutSecrets returns the error as it is, or, where its text has a part of what nobody is to see in one of the objects,
// only what the server said of the reason and the fields.
func withoutSecrets(err error, objects ...map[string]any) error {
	text := err.Error()
	var told apierrors.APIStatus
	if errors.As(err, &told) {
		whole, _ := json.Marshal(told.Status())
		text += string(whole)
	}
	if told != nil && authorizerSays.MatchString(told.Status().Message) {
		return err
	}
	pieces := piecesOf(text)
	for _, o := range objects {
		for _, value := range hiddenValues(o) {
			if pieces.quotes(value, text) {
				return summary(told)
			}
		}
	}
	return err
}

// authorizerSays are the words of the server itself where a right is missing: they are of the request's path and of who
// sent it, and of no object's content, though a short value may happen to be in them.
var authorizerSays = regexp.MustCompile(`^[a-z0-9.]+( "[^"]*")? is forbidden: User "[^"]*" cannot [a-z]+ resource "[^"]*" in API group "[^"]*"` +
	`( in the namespace "[^"]*"| at the cluster scope)$`)

// summary is an error that says what the status says, without its words.
func summary(told apierrors.APIStatus) error {
	if told == nil {
		return errors.New("the words of the error are left out, for they quote what is secret")
	}
	s := told.Status()
	var causes []string
	short := metav1.Status{Status: s.Status, Code: s.Code, Reason: s.Reason}
	if s.Details != nil {
		short.Details = &metav1.StatusDetails{Name: s.Details.Name, Group: s.Details.Group, Kind: s.Details.Kind}
		for _, c := range s.Details.Causes {
			causes = append(causes, fmt.Sprintf(", %s: %s", c.Field, c.Type))
			short.Details.Causes = append(short.Details.Causes, metav1.StatusCause{Type: c.Type, Field: c.Field})
		}
	}
	what, where := string(s.Reason), ""
	if what == "" { // what the server could not even read, it says without a reason
		what, where = "the server refused it", "; perhaps a field is misspelt, or a value of data is not base64"
	}
	short.Message = fmt.Sprintf("%s (%d)%s; the server's words are left out, for they quote what is secret%s", what, s.Code, strings.Join(causes, ""), where)
	return &apierrors.StatusError{ErrStatus: short}
}

// hiddenValues returns what nobody is to see of an object, in the forms in which it may be quoted.
func hiddenValues(o map[string]any) []string {
	var values []string
	add := func(v any) {
		text, _ := v.(string)
		values = append(values, text, strings.Trim(strconv.Quote(text), `"`))
	}
	add(annotations(o)[lastApplied])
	if o["kind"] != "Secret" || o["apiVersion"] != "v1" {
		return values
	}
	data, _ := o["data"].(map[string]any)
	for _, v := range data {
		add(v)
		if decoded, err := base64.StdEncoding.DecodeString(fmt.Sprint(v)); err == nil {
			add(string(decoded))
		}
	}
	texts, _ := o["stringData"].(map[string]any)
	for _, v := range texts {
		add(v)
		add(base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(v))))
	}
	return values
}

// pieces are all parts of a text that are pieceBytes long. A quote that is cut short or escaped still has one of a value.
type pieces map[string]bool

const pieceBytes = 6

func piecesOf(text string) pieces {
	p := make(pieces)
	for i := 0; i+pieceBytes <= len(text); i++ {
		p[text[i:i+pieceBytes]] = true
	}
	return p
}

func (p pieces) quotes(value, text string) bool {
	if len(value) < pieceBytes {
		return value != "" && strings.Contains(text, value)
	}
	for i := 0; i+pieceBytes <= len(value); i++ {
		if p[value[i:i+pieceBytes]] {
			return true
		}
	}
	return false
}
