// Services whose implementation changes while they are offered.
import type { CallOptions } from '../../protocol/services/service.js';

type Method = (request: object, options?: CallOptions) => Promise<object>;

/** @param current what carries a call out; it may throw instead, which the caller gets */
export function switchable<T extends object>(names: readonly (keyof T & string)[], current: () => T): T {
  const methods: Record<string, Method> = {};
  for (const name of names) {
    methods[name] = async (request, options) => (current()[name] as Method)(request, options);
  }
  return methods as T;
}

/** The methods of a class that implements a service. */
export function methodsOf<T extends object>({ prototype }: { prototype: T }): (keyof T & string)[] {
  const names = Object.getOwnPropertyNames(prototype) as (keyof T & string)[];
  return names.filter((name) => name !== 'constructor');
}
