// What the page may ask: the shapes of its requests, checked before they go on.
import * as z from 'zod';
import { ServiceError } from '../../protocol/errors.js';

const inode = z.coerce.number().int().positive();
const server = z.string().min(1).max(200);
const path = z.string().max(20_000);

export const QUESTIONS = {
  /** As the live stream has it, and made now. */
  cluster: z.object({}),
  folder: z.object({ path, cookie: z.coerce.number().int().nonnegative().default(0) }),
  file: z.union([z.object({ path }), z.object({ inode })], {
    error: 'a file has a path, or an inode that is a whole number',
  }),
  votes: z.object({
    inode,
    first: z.coerce.number().int().nonnegative(),
    count: z.coerce.number().int().min(1).max(64),
  }),
  contents: z.object({ server, inode }),
  events: z.object({
    since: z.coerce.number().optional(),
    until: z.coerce.number().optional(),
    server: server.optional(),
    kind: z.string().max(100).optional(),
    inode: inode.optional(),
    isTrouble: z.stringbool().optional(),
    limit: z.coerce.number().int().min(1).max(500).default(100),
  }),
};

export const CHANGES = {
  /** `index`: of one block; all of the file's when absent. */
  corrupt: z.object({ inode, index: z.number().int().nonnegative().optional(), servers: z.array(server).min(1) }),
  terminate: z.object({ server }),
  restart: z.object({ server, blank: z.boolean() }),
  hold: z.object({ server, isHeld: z.boolean() }),
  configure: z.object({ key: z.enum(['readQuorum', 'writeQuorum', 'audit']), value: z.string().max(20) }),
  /** Of a file in the folder of the guided runs. */
  write: z.object({ name: z.string().regex(/^[a-z0-9.-]{1,100}$/), text: z.string().max(10_000) }),
  read: z.object({ name: z.string().regex(/^[a-z0-9.-]{1,100}$/) }),
  /** The folder of the guided runs, with all that is in it. */
  clear: z.object({}),
};

export type Asked<K extends keyof typeof QUESTIONS> = z.infer<(typeof QUESTIONS)[K]>;
export type Wanted<K extends keyof typeof CHANGES> = z.infer<(typeof CHANGES)[K]>;

/** @throws ServiceError MALFORMED */
export function parse<T>(shape: z.ZodType<T>, value: unknown): T {
  const { success, data, error } = shape.safeParse(value);
  if (success) return data;
  throw new ServiceError(
    'MALFORMED',
    error.issues.map(({ path: at, message }) => (at.length === 0 ? message : `${at.join('.')}: ${message}`)).join('; '),
  );
}
