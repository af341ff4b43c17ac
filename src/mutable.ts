/** As it is while it is made: engines copy an object and set some of its fields faster than they make one of both. */
export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
