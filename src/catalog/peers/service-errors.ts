// What the catalog refuses, in the words of servers to each other.
import { ServiceError } from '../../protocol/errors.js';
import { CatalogError } from '../map/errors.js';

/** Settles as the action does, with a refusal of the catalog as a ServiceError. */
export async function asService<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error;
    throw new ServiceError(error.code === 'NOT_LEADER' ? 'NOT_LEADER' : 'REFUSED', error.message, error.leader?.name);
  }
}
