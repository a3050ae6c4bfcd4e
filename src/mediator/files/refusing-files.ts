// FileService as it is offered to mounts. A mount whose session has expired may
// not know it, and other mounts may have its locks by now. Every request of it is
// refused until it has begun a new session, and has been told which locks it lost.
import type { FileService } from '../../protocol/services/files.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { Tenure } from '../epochs/tenure.js';
import type { Sessions } from '../sessions/sessions.js';
import { MediatorFiles } from './files.js';

type Method = (request: object, options?: CallOptions) => Promise<object>;

/** @param tenure none for a mediator that was given no epoch */
export function refusingFiles(files: MediatorFiles, sessions: Sessions, tenure: Tenure | undefined): FileService {
  const guard = tenure === undefined || tenure.isSole ? null : tenure;
  const methods: Record<string, Method> = {};
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(MediatorFiles.prototype))) {
    if (name === 'constructor') continue;
    const method = value as Method;
    methods[name] = (request, options) => {
      try {
        tenure?.check();
        sessions.refuseExpired(options);
      } catch (error) {
        return Promise.reject(error);
      }
      if (guard !== null) return guard.guard(() => method.call(files, request, options));
      return method.call(files, request, options);
    };
  }
  return methods as unknown as FileService;
}
