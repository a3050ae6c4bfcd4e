// The options after -o, of `nmrfs mount` and of a line in /etc/fstab: what each
// means here. Pure. An option that is not known is an error that names it,
// since a mount without what was asked for is worse than none.

export interface MountOptions {
  readOnly?: boolean;
  allowOther?: boolean;
  accessTimes?: 'noatime' | 'relatime';
  attributeTimeoutMs?: number;
  /** The configuration file, for a mount that names only the mediator. */
  configFile?: string;
  /** A mount that is there already gets other options. */
  remount: boolean;
  /** For the kernel, which obeys them for every file system; the last of two that contradict each other counts. */
  kernelOptions: string[];
  unknown: string[];
  /** Known options whose values don't fit. */
  unfit: string[];
}

/** Options that the kernel itself obeys. */
const KERNEL_OPTIONS: ReadonlySet<string> = new Set([
  ...['exec', 'noexec', 'suid', 'nosuid', 'dev', 'nodev', 'sync', 'async', 'dirsync', 'symfollow', 'nosymfollow'],
]);

/** For mount(8), systemd and people, who have obeyed them before; or what is so in any case. */
const IGNORED_OPTIONS: ReadonlySet<string> = new Set([
  ...['', 'defaults', 'auto', 'noauto', 'nofail', 'user', 'nouser', 'users', 'owner', 'group', '_netdev', '_rnetdev'],
  ...['default_permissions', 'loud', 'silent', 'nomand', 'nodiratime'],
]);
const IGNORED_PREFIXES: readonly string[] = [
  ...['x-', 'X-', 'comment=', 'user=', 'uhelper=', 'helper='],
  // What /proc/mounts shows of a mount, and mount(8) hands on with a remount.
  ...['user_id=', 'group_id=', 'max_read=', 'blksize='],
];

/** What fits, by the names of the options that have a value. */
const VALUE_RULES: ReadonlyMap<string, string> = new Map([
  ['attribute_timeout', 'must be a whole number of milliseconds, 0 to 9999999'],
  ['config', 'must name the configuration file'],
]);

const KNOWN = [
  ...[
    'ro',
    'rw',
    'noatime',
    'relatime',
    'allow_other',
    'no_allow_other',
    'attribute_timeout=MS',
    'config=FILE',
    'remount',
  ],
  ...KERNEL_OPTIONS,
].join(', ');

/** @param options each by itself, in the order given */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const parsed: MountOptions = { remount: false, kernelOptions: [], unknown: [], unfit: [] };
  for (const option of options) apply(parsed, option);
  return parsed;
}

/** What to say of options that can't be obeyed; undefined when there are none. */
export function optionsProblem({ unknown, unfit }: Pick<MountOptions, 'unknown' | 'unfit'>): string | undefined {
  const [option] = unfit;
  if (option !== undefined) return `-o ${option}: ${VALUE_RULES.get(nameOf(option))}`;
  return unknown.length === 0 ? undefined : `-o ${unknown.join(',')}: known options are ${KNOWN}`;
}

function nameOf(option: string): string {
  return option.split('=', 1)[0] ?? '';
}

function apply(parsed: MountOptions, option: string): void {
  if (KERNEL_OPTIONS.has(option)) {
    parsed.kernelOptions.push(option);
    return;
  }
  if (IGNORED_OPTIONS.has(option) || IGNORED_PREFIXES.some((prefix) => option.startsWith(prefix))) {
    return;
  }
  const [, name, value] = /^([^=]*)(?:=(.*))?$/s.exec(option) ?? [];
  if (name === 'attribute_timeout' && /^\d{1,7}$/.test(value ?? '')) {
    parsed.attributeTimeoutMs = Number(value);
    return;
  }
  if (name === 'config' && value !== undefined && value !== '') {
    parsed.configFile = value;
    return;
  }
  if (name !== undefined && VALUE_RULES.has(name)) {
    parsed.unfit.push(option);
    return;
  }
  switch (option) {
    case 'ro':
    case 'rw':
      parsed.readOnly = option === 'ro';
      return;
    case 'allow_other':
    case 'no_allow_other':
      parsed.allowOther = option === 'allow_other';
      return;
    case 'noatime':
    case 'relatime':
      parsed.accessTimes = option;
      return;
    case 'remount':
      parsed.remount = true;
      return;
    default:
      parsed.unknown.push(option);
  }
}
