export function CollectionsView() {
  return null
}
