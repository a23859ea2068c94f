package relay

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const (
	standardPage = 1000 // items of a list, if a request does not say how many
	largestPage  = 10000
)

// page is a part of a list: the items, and where the next part begins.
type page struct {
	items any    // a slice, not nil
	next  string // what after is for the next one; empty: there is none
}

// pageOf reads which part of a list a request wants: at most limit items, after one; empty: from the start.
// The error is an *apiError.
func pageOf(r *http.Request) (limit int, after string, err error) {
	query := r.URL.Query()
	limit = standardPage
	if text := query.Get("limit"); text != "" {
		limit, err = strconv.Atoi(text)
		if err != nil || limit < 1 || limit > largestPage {
			return 0, "", &apiError{http.StatusBadRequest,
				fmt.Sprintf("limit is a number from 1 to %d", largestPage)}
		}
	}
	key, err := base64.RawURLEncoding.DecodeString(query.Get("after"))
	if err != nil {
		return 0, "", errAfter
	}
	return limit, string(key), nil
}

var errAfter = &apiError{http.StatusBadRequest,
	"after comes from the Link header of the page before; leave it out to begin at the first"}

// cursor is what after is for the items after the one with a key.
func cursor(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// nextLink is the value of a Link header (RFC 8288) that leads to the next page.
func nextLink(r *http.Request, next string) string {
	query := r.URL.Query()
	query.Set("after", next)
	u := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
	return fmt.Sprintf("<%s>; rel=\"next\"", u.String())
}

// cut returns the part that a request wants of a list that is ordered by key.
func cut[T any](r *http.Request, list []T, key func(T) string) (*page, error) {
	limit, after, err := pageOf(r)
	if err != nil {
		return nil, err
	}
	for len(list) > 0 && after != "" && key(list[0]) <= after {
		list = list[1:]
	}
	if len(list) <= limit {
		return &page{items: list}, nil
	}
	return &page{items: list[:limit], next: cursor(key(list[limit-1]))}, nil
}
