// A few words on what surprises in the table of protocols, by fault.

export const NOTES: Readonly<Record<string, string>> = {
  'the leader dies': `Where nobody leads, nobody waits for an election: clients of the dead server go to another one. Lazy's stale reads are its promise, not a
fault: a client may read less than others have written, though never less than it has seen itself.`,
  'a majority dies': `Primary-backup goes on with two of five, and with one: it takes the silent for dead. The three that ask a majority wait instead.`,
  'the network splits: leader and one more, three others': `Primary-backup has two primaries. Each strikes off the other's servers and answers at once, so nobody waits, and everything that one
of them has answered is lost when they meet. Raft's old leader steps down when it hears no majority; its clients wait until they ask a
server of the other part.`,
  'nothing comes to the leader, which is heard': `A deaf leader is the worst kind for protocols whose followers are content while they hear it: it must notice by itself that nobody
answers, and step down.`,
  'a bridge: two and two that hear one server, and not each other': `The leaders stay, since the bridge gives each a majority: nobody campaigns against a leader whom a majority hears.`,
  'the leader is slow: 150 ms more for each message': `A follower does not replace a leader that is merely slow. Under quorum it is no leader, and yet each server that chooses it for a
quorum waits for it.`,
  'the leader is stopped, and goes on': `Under quorum, an update that was answered can be gone: the stopped server goes on with an older request of the same client, which had
given it up, and gives it the same version. Where two versions tie, the content decides, on all servers alike, and not who came first.`,
  'the clock of the leader is an hour ahead': `No protocol here compares clocks of two servers, but for quorum, where versions are seconds by somebody's clock: an hour ahead, they
win for an hour. Each client here writes a path of its own and reads before it writes, so nothing is lost.`,
  'the leader loses its disk, and comes back at once': `It comes back as another member, without a vote, and gets everything from the others: had it kept its name, it could vote twice.`,
  'two at once: the leader dies, another one is cut off': `Primary-backup again: the one that is cut off takes over its own part of the network, and is the later primary.`,
};
