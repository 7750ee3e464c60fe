/** `true` where a `From` can be given for a `To`; otherwise the type check fails. */
export type Accepts<To, From extends To> = From extends To ? true : never;
