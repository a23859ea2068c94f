package wire

// MaxEntry is the length limit of a member entry in bytes.
const MaxEntry = 400
