// What ordinary programs expect of a directory, as functions that take one.
// Every case works in a fresh directory of its own.
import type { MountCase } from './mount-case.js';
import { contentCases } from './mount-cases-content.js';
import { rightsCases } from './mount-cases-rights.js';
import { sparseCases } from './mount-cases-sparse.js';
import { treeCases } from './mount-cases-tree.js';

export const mountCases: MountCase[] = [...contentCases, ...sparseCases, ...rightsCases, ...treeCases];
