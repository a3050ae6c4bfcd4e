// The Python that carries out operations: a request a line in, an answer a
// line out, both JSON. See Request and Answer.
export const PROGRAM = `
import base64, ctypes, errno, json, mmap, os, signal, sys, threading

signal.signal(signal.SIGINT, signal.SIG_IGN)
os.makedirs(sys.argv[1], exist_ok=True)
os.chdir(sys.argv[1])
DIRECT = os.O_DIRECT if sys.argv[2] == 'direct' else 0
MODES = {'plain': 0, 'append': os.O_APPEND, 'direct': DIRECT, 'cut': os.O_TRUNC}
KEEP, PUNCH, ZERO = 1, 2, 16
ALLOCATIONS = {'punch': PUNCH | KEEP, 'zero': ZERO, 'zero-keep': ZERO | KEEP, 'allocate': 0, 'allocate-keep': KEEP}
AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)
files, views, syncs, late = {}, {}, [], []

def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)

def view_of(request):
    """A mapping that reaches as far as the request does; it stays, whatever happens to the file."""
    handle, end = request['handle'], request['offset'] + request['length']
    if handle not in views or len(views[handle]) < end:
        if handle in views:
            views.pop(handle).close()
        views[handle] = mmap.mmap(files[handle], os.fstat(files[handle]).st_size)
    return views[handle]

def read_all(fd, length, offset):
    pieces = []
    while length > 0:
        piece = os.pread(fd, length, offset)
        if not piece:
            break
        pieces.append(piece)
        offset, length = offset + len(piece), length - len(piece)
    return b''.join(pieces)

def encoded(data):
    return {'data': base64.b64encode(data).decode()}

def write(request):
    fd, data, offset = files[request['handle']], base64.b64decode(request['data']), request['offset']
    while data:
        count = os.pwrite(fd, data, offset)
        data, offset = data[count:], offset + count

def read(request):
    fd = files[request['handle']]
    if request['uncached']:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return encoded(read_all(fd, request['length'], request['offset']))

def fsync(request):
    fd = files[request['handle']]
    if request['waits']:
        return os.fsync(fd)
    fd = os.dup(fd)
    def sync():
        try:
            os.fsync(fd)
        except OSError as error:
            late.append(errno.errorcode[error.errno])
        os.close(fd)
    thread = threading.Thread(target=sync)
    thread.start()
    syncs.append(thread)

def mapped_read(request):
    return encoded(view_of(request)[request['offset']:request['offset'] + request['length']])

def mapped_write(request):
    view, offset, end = view_of(request), request['offset'], request['offset'] + request['length']
    view[offset:end] = base64.b64decode(request['data'])
    if request['synced']:
        start = offset - offset % mmap.PAGESIZE
        view.flush(start, end - start)

def fallocate(request):
    mode, offset, length = ALLOCATIONS[request['allocation']], request['offset'], request['length']
    check(libc.fallocate(files[request['handle']], mode, ctypes.c_int64(offset), ctypes.c_int64(length)), 'fallocate')

def seek(request):
    fd, end, extents = files[request['handle']], 0, []
    while True:
        try:
            first = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return {'extents': extents}
            raise
        end = os.lseek(fd, first, os.SEEK_HOLE)
        extents.append((first, end))

def copy(request):
    offset, target, left = request['offset'], request['targetOffset'], request['length']
    while left > 0:
        count = os.copy_file_range(files[request['handle']], files[request['target']], left, offset, target)
        if count == 0:
            raise OSError(errno.ENODATA, 'copied too little')
        offset, target, left = offset + count, target + count, left - count

def create(request):
    files[request['handle']] = os.open(request['name'], os.O_RDWR | os.O_CREAT | os.O_EXCL)

def open_file(request):
    files[request['handle']] = os.open(request['name'], os.O_RDWR | MODES[request['mode']])

def close(request):
    handle = request['handle']
    if handle in views:
        views.pop(handle).close()
    os.close(files.pop(handle))

def close_all(request):
    for handle in list(files):
        close({'handle': handle})
    for thread in syncs:
        thread.join()

def exchange(request):
    name, to = os.fsencode(request['name']), os.fsencode(request['to'])
    check(libc.renameat2(AT_FDCWD, name, AT_FDCWD, to, RENAME_EXCHANGE), 'exchange')

def content(request):
    with open(request['name'], 'rb') as file:
        return encoded(file.read())

KINDS = {
    'write': write, 'read': read, 'fsync': fsync, 'seek': seek, 'copy': copy, 'fallocate': fallocate,
    'truncate': lambda request: os.ftruncate(files[request['handle']], request['sizeBytes']),
    'mapped-read': mapped_read, 'mapped-write': mapped_write,
    'create': create, 'open': open_file, 'close': close, 'close-all': close_all, 'exchange': exchange,
    'truncate-name': lambda request: os.truncate(request['name'], request['sizeBytes']),
    'rename': lambda request: os.rename(request['name'], request['to']),
    'link': lambda request: os.link(request['name'], request['to']),
    'unlink': lambda request: os.unlink(request['name']),
    'content': content,
    'list': lambda request: {'names': sorted(os.listdir('.'))},
}

for line in sys.stdin:
    request = json.loads(line)
    answer = {}
    try:
        answer = KINDS[request['kind']](request) or {}
        changed = request.get('target', request.get('handle'))
        if changed in files:
            status = os.fstat(files[changed])
            answer.update(sizeBytes=status.st_size, links=status.st_nlink)
    except OSError as error:
        answer = {'error': f'{errno.errorcode.get(error.errno, error.errno)} ({error})'}
    syncs = [thread for thread in syncs if thread.is_alive()]
    answer['late'], late[:] = late[:], []
    print(json.dumps(answer), flush=True)
os._exit(0)
`;
