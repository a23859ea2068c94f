package presence

// routeAnswer is what a query was answered: one of the RouteKinds, or that it is not known.
type routeAnswer uint8

const (
	answerNotFound routeAnswer = routeAnswer(NotFound)
	answerUnsure   routeAnswer = routeAnswer(Chain) + 1
	answerAway     routeAnswer = answerUnsure + 1
	routeAnswers               = answerAway + 1
)

func (a routeAnswer) String() string {
	switch a {
	case answerUnsure:
		return "unsure"
	case answerAway:
		return "away"
	}
	return RouteKind(a).String()
}

// Who asks, as metrics name them.
const (
	askerClient = iota
	askerHTTP
	askerPeer
	askerKinds
)

var askerNames = [askerKinds]string{"client", "http", "peer"}

// RouteCounts count the queries that were answered so far.
type RouteCounts struct {
	answered [askerKinds][routeAnswers]uint64
}

// Each calls f for each kind of who asks and each answer.
func (c *RouteCounts) Each(f func(by, answer string, n uint64)) {
	for by := range c.answered {
		for answer, n := range c.answered[by] {
			f(askerNames[by], routeAnswer(answer).String(), n)
		}
	}
}

// Counts returns the counts so far.
func (r *Resolver) Counts() RouteCounts { return r.counts }

// count notes that an asker is answered, and counts its first answer.
func (r *Resolver) count(a *asker, answer routeAnswer) {
	if a.answered {
		return
	}
	a.answered = true
	by := askerClient
	switch {
	case !a.own():
		by = askerPeer
	case a.by.HTTP != 0:
		by = askerHTTP
	}
	r.counts.answered[by][answer]++
}
