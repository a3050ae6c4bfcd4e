// FileService as it is offered: a mount that was silent until its session ended
// knows nothing of that when it goes on. Its locks may be others' by now, so
// whatever it asks for is refused until it has begun another session, and was
// told which locks it has lost.
import type { FileService } from '../../protocol/services/files.js';
import type { CallOptions } from '../../protocol/services/service.js';
import type { Sessions } from '../sessions/sessions.js';
import { MediatorFiles } from './files.js';

type Method = (request: object, options?: CallOptions) => Promise<object>;

export function refusingFiles(files: MediatorFiles, sessions: Sessions): FileService {
  const methods: Record<string, Method> = {};
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(MediatorFiles.prototype))) {
    if (name === 'constructor') continue;
    const method = value as Method;
    methods[name] = (request, options) => {
      try {
        sessions.refuseExpired(options);
      } catch (error) {
        return Promise.reject(error);
      }
      return method.call(files, request, options);
    };
  }
  return methods as unknown as FileService;
}
