/** Parts that a config names: those that come with the project, and those that a user's plugins add. */
import { UsageError } from './errors.ts';

export class Registry<Part extends object> {
  private readonly added = new Map<string, { part: Part; origin: string }>();

  /** @param what the parts are, in the singular: `encoding`. */
  constructor(
    readonly what: string,
    private readonly builtIn: Readonly<Record<string, Part>>,
  ) {}

  /** All parts by name, those of the project first. */
  all(): [name: string, part: Part][] {
    const added = [...this.added].map(([name, { part }]): [string, Part] => [name, part]);
    return [...Object.entries(this.builtIn), ...added];
  }

  names(): string[] {
    return this.all().map(([name]) => name);
  }

  /** @throws UsageError where there is none of that name, naming those that there are. */
  get(name: string): Part {
    const part = Object.hasOwn(this.builtIn, name) ? this.builtIn[name] : this.added.get(name)?.part;
    if (part) return part;
    throw new UsageError(`${this.what} "${name}" is unknown; choose one of ${this.names().join(', ')}`);
  }

  /**
   * Adds a part, or puts it in place of what the same origin added under that name before.
   *
   * @param origin who adds it: the path of a plugin.
   * @throws UsageError where the name is another's.
   */
  add(name: string, part: Part, origin: string): void {
    const owner = Object.hasOwn(this.builtIn, name) ? 'the project itself' : this.added.get(name)?.origin;
    if (owner !== undefined && owner !== origin) {
      throw new UsageError(`${origin}: ${this.what} "${name}" is taken by ${owner}; give it another name`);
    }
    this.added.set(name, { part, origin });
  }
}
