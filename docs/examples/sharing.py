"""Share an image of project demo with project alt through openstacksdk.

Takes the address of Keystone, the region and the password of both users from the OS_… variables.
"""

import openstack


def connect(name):
    return openstack.connect(username=name, project_name=name)


def listed(connection, **filters):
    return [image.name for image in connection.image.images(visibility='shared', name='golden-sdk', **filters)]


def main():
    demo, alt = connect('demo'), connect('alt')
    image = demo.image.create_image('golden-sdk', data=b'every byte of it', disk_format='raw', container_format='bare',
                                    visibility='shared', tags=['lts'])

    demo.image.add_member(image, member_id=alt.current_project_id)
    print('alt was offered', listed(alt, member_status='pending'), 'and lists', listed(alt))
    for status in ('accepted', 'rejected', 'pending', 'accepted'):
        alt.image.update_member(alt.current_project_id, image, status=status)
        members = [member.status for member in demo.image.members(image)]
        print(status + ': alt lists', listed(alt), 'and demo sees', members)

    demo.image.add_tag(image, 'x86_64')
    print('with both tags:', listed(alt, tag=['lts', 'x86_64']))
    demo.image.remove_tag(image, 'lts')
    print('tags:', alt.image.get_image(image).tags)

    demo.image.deactivate_image(image)
    with alt.image.download_image(image, stream=True) as answer:  # whose status openstacksdk leaves to its caller
        print('deactivated: a download by alt answers', answer.status_code)
    demo.image.reactivate_image(image)
    print('reactivated: alt reads', alt.image.download_image(image).content)

    demo.image.update_image(image, is_hidden=True)
    print('hidden: alt lists', listed(alt), 'and among hidden images', listed(alt, is_hidden=True))

    demo.image.update_image(image, is_hidden=False, is_protected=True)
    try:
        demo.image.delete_image(image)
    except openstack.exceptions.ForbiddenException:
        print('protected: demo may not delete it')
    demo.image.update_image(image, is_protected=False)

    demo.image.remove_member(alt.current_project_id, image)
    print('no longer shared: alt finds', alt.image.find_image(image.id))
    demo.image.delete_image(image)


if __name__ == '__main__':
    main()
