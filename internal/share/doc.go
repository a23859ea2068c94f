// Package share divides what there is a fixed number of between those who want it, so that nobody can keep
// others from their part: the aliases of a room and of a link, and the places in a room.
//
//	                   all: 4096
//	                 /           \
//	        members here        members of other relays        a path names a holder by its groups,
//	        /          \              |            \           those first that are hardest to make up
//	192.0.2.7   2001:db8:7::/48     peer B        peer C
//	   |           |        |        |   \            \
//	members   ..:1::/64  ..:2::/64  own  behind X     own
//
// Nothing is kept free for anybody. While there is enough, everybody has what they want. When all is taken,
// whoever holds most gives way: of the largest group of the first level the largest of the second, and so on
// (max-min fairness, level by level). A newcomer only gets what leaves the group that gives no smaller than
// its own, so nobody is brought below their share, and no two take from each other in turn.
//
// What that guarantees: of n slots, a holder on level m whose groups, and itself, are each one of g1, g2, ...
// gm, takes one of somebody else's as long as it has fewer than n / (g1 g2 ... gm) - m, whatever others do,
// come before or after, and however many members they make up: only those who hold something count, and those
// are addresses and links. A group that wants less than its share leaves the rest to the others. So eight of
// a room's 4096 aliases are sure for a talker who is alone at one of 170 addresses that want all they can
// get, while links to other relays do, too. Whoever has less, for there are more, gets the oldest of its own;
// only a holder without any may get none, if nobody has two.
//
// The package is pure: it starts nothing, reads no clock and has no lock.
package share
