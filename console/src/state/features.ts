/** What the page's head was told of this api: its features, the first parts of its paths, and whether it is open. */
const read = (name: string) => document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? ''
const features = new Set(read('letuin-features').split(' ').filter(Boolean))

/** Whether the api has the feature. A page from the development server was told nothing, and shows all. */
export const hasFeature = (name: string): boolean => features.size === 0 || features.has(name)

/** Whether nobody gets in without a token. */
export const needsToken = read('letuin-access') === 'token'

/** Whether strangers may make themselves an account. */
export const mayRegister = read('letuin-registration') === 'open'
