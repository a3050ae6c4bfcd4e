// AdminService as the active one of several mediators offers it: what
// administrators change must reach the mediator that is active, not one that was
// replaced and has not heard of it.
import type { AdminService } from '../../protocol/services/admin.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { Tenure } from '../epochs/tenure.js';

export function guardedAdmin(admin: AdminService, tenure: Tenure): AdminService {
  return new Proxy(admin, {
    get(target, member) {
      const method: unknown = Reflect.get(target, member);
      if (typeof method !== 'function') return method;
      // It says by itself that it may have been replaced.
      if (member === 'status') return method.bind(target);
      return (request: object, options?: CallOptions) => tenure.guard(() => method.call(target, request, options));
    },
  });
}
