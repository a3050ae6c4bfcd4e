// What a tester of SurfStore's does, as a program for Python's own xmlrpc.client: it starts the servers of a configuration one by one,
// crashes and restores or kills them, and prints what it saw as JSON.
export const SURFSTORE_TESTER = `
import atexit, json, os, signal, subprocess, sys, threading, time, xmlrpc.client
config, how, node, command, *ports = sys.argv[1:]
N, majority = len(ports), len(ports) // 2 + 1
class Transport(xmlrpc.client.Transport):
    def make_connection(self, host):
        connection = super().make_connection(host)
        connection.timeout = 60
        return connection
def client(i): return xmlrpc.client.ServerProxy('http://localhost:' + ports[i] + '/RPC2', transport=Transport())
processes, down = {}, set()
def end():
    for process in processes.values(): process.kill()
    for process in processes.values(): process.wait()
atexit.register(end)
signal.signal(signal.SIGTERM, lambda *_: sys.exit('ended'))
def start(i):
    processes[i] = subprocess.Popen([node, command, 'catalog', 'serve', config, str(i)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until('server %d answers' % i, lambda: answers(i), 20)
def answers(i):
    try: return client(i).ping()
    except OSError: return False
def until(what, condition, limit=5):
    end = time.time() + limit
    while not condition():
        if time.time() > end: raise SystemExit('waited in vain: ' + what)
        time.sleep(0.02)
def never(what, condition, duration):
    end = time.time() + duration
    while time.time() < end:
        if condition(): raise SystemExit('it should not be: ' + what)
        time.sleep(0.05)
def running(): return [i for i in processes if i not in down]
def leaders(): return [i for i in running() if client(i).surfstore.isLeader()]
def leader():
    until('one leader', lambda: len(leaders()) == 1)
    return leaders()[0]
def fails(call):
    try: call()
    except xmlrpc.client.Fault as fault: return fault.faultString
    raise SystemExit('there was no fault')
def take_down(i):
    down.add(i)
    if how == 'kill':
        processes[i].kill()
        processes[i].wait()
    else:
        client(i).surfstore.crash()
        client(i).surfstore.crash()
        assert client(i).surfstore.isCrashed() and client(i).iscrashed() and not client(i).isleader()
def update(name, version, hashes):
    while True:
        for i in running():
            try: return client(i).surfstore.updatefile(name, version, hashes)
            except xmlrpc.client.Fault as fault:
                if not fault.faultString.startswith('NOT_LEADER'): raise
        time.sleep(0.05)
seen = {}

# One after the other, until there is a majority.
for i in range(majority - 1):
    start(i)
    never('a leader of a minority', leaders, 0.7)
start(majority - 1)
began = time.time()
first = leader()
seen['elected'] = time.time() - began
for i in range(majority, N): start(i)
never('another leader', lambda: leaders() != [first], 0.7)

# Updates at the leader.
c = client(first)
odd = 'b \\u00fc/..&<%>.txt'
assert c.surfstore.updatefile('a.txt', 2, ['x']) is False
assert c.surfstore.updatefile('a.txt', 1, ['x', 7, xmlrpc.client.Binary(b'\\x00\\xff')]) is True
assert c.updatefile('a.txt', 1, ['y']) is False
assert c.updatefile(odd, 1, ['0']) is True
version, hashes = c.surfstore.getfileinfomap()['a.txt']
assert version == 1 and hashes[:2] == ['x', 7] and hashes[2].data == b'\\x00\\xff', hashes
assert c.getfileinfomap()[odd] == [1, ['0']]
until('all have the version', lambda: all(client(i).surfstore.tester_getversion('a.txt') == 1 for i in running()))
assert c.tester_getversion('nowhere') == 0
for i in running():
    if i != first:
        assert fails(lambda: client(i).updatefile('a.txt', 2, ['z'])).startswith('NOT_LEADER')
        assert fails(lambda: client(i).surfstore.getfileinfomap()).startswith('NOT_LEADER')

# Leaders go, one after the other, and updates stay.
version, slowest = 1, 0
while len(running()) > majority:
    take_down(leader())
    began = time.time()
    now = leader()
    slowest = max(slowest, time.time() - began)
    version += 1
    assert update('a.txt', version, ['v%d' % version]) is True
    assert client(now).getfileinfomap()['a.txt'] == [version, ['v%d' % version]]
seen['slowest'] = slowest
committed = version

# The majority goes: nobody leads, and clients wait.
last = leader()
until('all have it', lambda: all(client(i).tester_getversion('a.txt') == committed for i in running()))
take_down(last)
until('nobody leads', lambda: not leaders())
never('a leader of a minority', leaders, 1)
answered = []
def ask():
    answered.append(update('a.txt', committed + 1, ['last']))
waiting = threading.Thread(target=ask, daemon=True)
waiting.start()
never('an answer without a majority', lambda: answered, 1)
assert all(client(i).tester_getversion('a.txt') == committed for i in running())

if how == 'kill':
    print(json.dumps(seen))
    sys.exit(0)

# Crashed ones answer what they have, refuse the rest, and catch up.
crashed = last
assert client(crashed).surfstore.tester_getversion('a.txt') == committed
assert fails(lambda: client(crashed).updatefile('a.txt', 9, [])).startswith('CRASHED')
assert fails(lambda: client(crashed).getfileinfomap()).startswith('CRASHED')
assert fails(lambda: client(crashed).AppendEntries(1000, running()[0], 0, 0, [], 0)).startswith('CRASHED')
assert fails(lambda: client(crashed).RequestVote(1000, running()[0], 1000, 1000)).startswith('CRASHED')
client(crashed).restore()
client(crashed).surfstore.restore()
down.discard(crashed)
began = time.time()
until('an answer, with a majority', lambda: answered)
seen['answered'] = time.time() - began
assert answered == [True]
for i in sorted(down): client(i).restore()
down.clear()
began = time.time()
until('all catch up', lambda: all(client(i).tester_getversion('a.txt') == committed + 1 for i in running()))
seen['caughtUp'] = time.time() - began
now = leader()
other = [i for i in running() if i != now][0]
assert client(other).RequestVote(0, now, 0, 0)['voteGranted'] is False
assert client(other).AppendEntries(0, now, 0, 0, [], 0)['success'] is False
print(json.dumps(seen))
`;
