/** Parts that a config names: those that come with the project, and those that a user's plugins add. */
import { UsageError } from './errors.ts';

export class Registry<Part extends object> {
  private readonly added = new Map<string, Part>();

  /** @param what the parts are, in the singular: `encoding`. */
  constructor(
    readonly what: string,
    private readonly builtIn: Readonly<Record<string, Part>>,
  ) {}

  /** All parts by name, those of the project first. */
  all(): [name: string, part: Part][] {
    return [...Object.entries(this.builtIn), ...this.added];
  }

  names(): string[] {
    return this.all().map(([name]) => name);
  }

  /** @throws UsageError where there is none of that name, naming those that there are. */
  get(name: string): Part {
    const part = Object.hasOwn(this.builtIn, name) ? this.builtIn[name] : this.added.get(name);
    if (part) return part;
    throw new UsageError(`${this.what} "${name}" is unknown; choose one of ${this.names().join(', ')}`);
  }

  /**
   * Adds a plugin's part. What the same plugin added before, it may replace: a plugin that is loaded again is the same.
   *
   * @param origin the plugin's path: parts of two plugins can't share a name.
   * @throws UsageError where the name is taken.
   */
  add(name: string, part: Part, origin: string): void {
    const owner = Object.hasOwn(this.builtIn, name) ? 'the project itself' : this.owners.get(name);
    if (owner !== undefined && owner !== origin) {
      throw new UsageError(`${origin}: ${this.what} "${name}" is taken by ${owner}; give it another name`);
    }
    this.owners.set(name, origin);
    this.added.set(name, part);
  }

  private readonly owners = new Map<string, string>();
}
