/** What an ordinary program expects of a directory, tried in a fresh one. */
export interface MountCase {
  name: string;
  run(directory: string): Promise<void>;
}
