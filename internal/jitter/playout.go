package jitter

// fill appends to the fifo until n samples are unread.
func (p *Player) fill(n int) {
	for p.pcm.unread() < n {
		p.produce(n - p.pcm.unread())
	}
}

// produce makes one step of play-out: it appends at least one sample, takes a
// packet from the buffer, or becomes silent. want is how much is missing.
func (p *Player) produce(want int) {
	s := p.buf.front()
	switch l := &p.line; {
	case l.silent:
		p.produceSilence(s, want)
	case s == nil:
		p.wait()
	case !s.silence && !s.fresh && !s.skip && l.end-s.media > overlap:
		p.buf.late(s)
		p.buf.pop()
	default:
		p.produceSpeech(s)
	}
}

// produceSilence plays silence until the next talkspurt is due: on schedule, or
// at once when play-out is behind, but then not without a short pause.
func (p *Player) produceSilence(s *slot, want int) {
	const shortPause = 40 * ms
	l := &p.line
	for s != nil && s.silence {
		l.end = s.media
		p.buf.pop()
		s = p.buf.front()
	}
	if s == nil {
		l.quiet += int64(want)
		p.pcm.zeros(want)
		return
	}
	outEnd := p.out + int64(p.pcm.unread())
	start := s.media - (p.z - p.buf.est.due()) - outEnd
	start = max(start, min(s.media-l.end, shortPause)-l.quiet)
	start = min(start, maxDelay+shortPause-l.waited) // whatever the clocks say
	if start > 0 {
		n := min(int64(want), start)
		l.quiet += n
		l.waited += n
		p.pcm.zeros(int(n))
		return
	}
	l.silent, l.join, l.gain, l.run = false, false, 0, 0
	l.quiet, l.waited, l.credit = 0, 0, 0
	l.end, l.frame = s.media, s.length
	p.resample.rate, p.resample.frac = 0, 0
	p.playFrame(s)
}

// produceSpeech goes on in a talkspurt, or ends it. s is the next packet there.
func (p *Player) produceSpeech(s *slot) {
	l := &p.line
	p.settle(s)
	switch {
	case s.skip && !s.silence:
		l.join, l.end = true, s.media
		p.playFrame(s)
	case l.end < min(l.holeEnd, s.media):
		p.fillHole(s)
	case l.pause:
		p.endTalkspurt(s)
	default:
		l.end = s.media
		p.playFrame(s)
	}
}

// settle decides, once for every packet that becomes the front, how much of the media time before it was lost
// speech, and what the concealment played while waiting for it stood for:
//
//	credit <= gap   it filled the gap, or its beginning
//	credit >  gap   the packet was late, so the delay grew by the difference
func (p *Player) settle(s *slot) {
	l := &p.line
	if l.settled == s.seq && l.credit == 0 {
		return
	}
	gap := max(0, s.media-l.end)
	lost := int64(0)
	if !s.fresh && !s.skip {
		lost = lostMedia(gap, p.buf.missing(s), l.frame)
	}
	l.settled, l.holeEnd = s.seq, l.end+lost
	l.pause = s.silence || s.fresh || !s.skip && gap-lost >= noGap
	if l.credit == 0 {
		return
	}
	covered := min(l.credit, gap)
	l.concealed += min(covered, lost)
	if !l.pause {
		l.concealed += l.credit - covered
		l.join = l.join || l.credit > covered
	}
	l.end += covered
	l.credit = 0
}

// fillHole replaces lost speech before s: by the copy in s when exactly the
// frame before s is left, else by concealment.
func (p *Player) fillHole(s *slot) {
	l := &p.line
	left := min(l.holeEnd, s.media) - l.end
	if left == s.length && l.holeEnd >= s.media && p.recover(s) {
		return
	}
	n := min(left, concealStep)
	p.conceal()
	p.pcm.write -= int(concealStep - n)
	l.end += n
	l.concealed += n
}

// recover plays the frame before s from the redundancy in s, if there is any.
func (p *Player) recover(s *slot) bool {
	l := &p.line
	dst := p.frame[:s.length]
	if p.dec.DecodeFEC(dst, s.data) != nil {
		return false
	}
	p.stats.Recovered++
	p.append(dst)
	l.end += s.length
	return true
}

// wait plays concealment while nothing is there. Media time stands still: what comes late is still played.
func (p *Player) wait() {
	p.conceal()
	p.line.credit += concealStep
}

// endTalkspurt becomes silent before s, which is a marker or, after a pause, the first frame of the next
// talkspurt. The last sound is faded out over 10 ms of concealment.
func (p *Player) endTalkspurt(s *slot) {
	l := &p.line
	p.countConcealed()
	if l.run < fadeConceal {
		p.dec.Conceal(p.tail[:concealStep])
		g := concealGain(l.run)
		dst := p.pcm.grow(concealStep)
		for i := range dst {
			dst[i] = p.tail[i] * g * float32(concealStep-1-i) / concealStep
		}
	}
	l.silent, l.quiet, l.waited, l.credit = true, 0, 0, 0
	if s.silence {
		l.end = s.media
		p.buf.pop()
	}
}

// conceal appends 10 ms of concealment, fading with the length of the run.
func (p *Player) conceal() {
	l := &p.line
	if l.run >= fadeConceal {
		p.pcm.zeros(concealStep)
		return
	}
	dst := p.pcm.grow(concealStep)
	p.dec.Conceal(dst)
	fade(dst, concealGain(l.run), concealGain(l.run+concealStep))
	l.run += concealStep
	l.gain = concealGain(l.run)
}

// fade scales pcm by a level that goes from one value to another.
func fade(pcm []float32, from, to float32) {
	if from == 1 && to == 1 {
		return
	}
	step := (to - from) / float32(len(pcm))
	for i := range pcm {
		pcm[i] *= from + step*float32(i)
	}
}

// playFrame decodes s into the fifo and takes it from the buffer. line.end is its media time.
func (p *Player) playFrame(s *slot) {
	l := &p.line
	joined := l.join && l.run < fadeConceal
	if joined {
		p.makeTail()
	}
	l.join = false
	dst := p.frame[:s.length]
	n, err := p.dec.Decode(dst, s.data)
	l.frame = s.length
	l.end += s.length
	p.countConcealed()
	if err != nil || n != len(dst) {
		p.stats.Undecodable++
		for range s.length / concealStep {
			p.conceal()
		}
		l.concealed += s.length
		p.buf.pop()
		return
	}
	p.stats.Played++
	p.measureDelay(s)
	if joined {
		p.splice(dst)
		l.gain = 1 // the splice has faded it in
	}
	p.append(dst)
	p.buf.pop()
}

// append adds a good frame, rising from the level that was reached before it.
func (p *Player) append(pcm []float32) {
	l := &p.line
	if l.gain < 1 {
		fade(pcm[:min(len(pcm), fadeIn)], l.gain, 1)
	}
	l.gain, l.run = 1, 0
	copy(p.pcm.grow(len(pcm)), pcm)
}

// makeTail continues the signal beyond what is in the fifo, for splice; it must
// run before the next frame is decoded.
func (p *Player) makeTail() {
	p.dec.Conceal(p.tail[:concealStep])
	p.dec.Conceal(p.tail[concealStep:])
	fade(p.tail[:], p.line.gain, p.line.gain)
}

// splice joins a frame that does not continue the signal: the tail plays until
// where it is most like the beginning of the frame, then fades into it over 5 ms.
func (p *Player) splice(frame []float32) {
	const across = concealStep / 2
	lag, _, _ := alike(frame[:across], p.tail[:], 0, len(p.tail)-across)
	copy(p.pcm.grow(lag), p.tail[:lag])
	for i, v := range p.tail[lag : lag+across] {
		v *= 1 - float32(i)/across
		frame[i] = v + frame[i]*float32(i)/across
	}
}

// countConcealed turns the concealed samples into frames of the present length.
func (p *Player) countConcealed() {
	l := &p.line
	if l.concealed > 0 && l.frame > 0 {
		p.stats.Concealed += uint64((l.concealed + l.frame - 1) / l.frame)
	}
	l.concealed = 0
}

// measureDelay takes the time from Put of s until its first sample is played.
func (p *Player) measureDelay(s *slot) {
	played := p.readTime + p.out + int64(p.pcm.unread()) - p.readOut
	d := max(0, played-s.arrival)
	p.stats.LastDelay = toDuration(d)
	if p.delay == 0 {
		p.delay = float64(d)
	}
	p.delay += (float64(d) - p.delay) / 16
}
